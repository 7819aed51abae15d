//! The messages of the exchange in bytes. A message is a head and a body of the length that the head says:
//!
//! ```text
//! 0  4  "SLnk"
//! 4  1  version: 1
//! 5  1  kind: 1 Hello, 2 Challenge, 3 Proof, 4 Refusal
//! 6  1  service: 1 metadata, 2 storage
//! 7  1  bytes of the body
//! 8     Hello: nonce (32). Challenge: nonce (32), proof (32). Proof: proof (32). Refusal: reason (1)
//! ```
//!
//! Heads keep their form in every version, so that another version's message can be read to its end and refused in words.

use std::fmt;

use super::error::{LinkError, Refusal};
use super::key::{Nonce, Proof};

/// Bytes of a head.
pub const HEAD_BYTES: usize = 8;
/// Bytes of a nonce.
pub(super) const NONCE_BYTES: usize = 32;
/// Bytes of a proof.
pub(super) const PROOF_BYTES: usize = 32;
/// The version that this program speaks.
pub(super) const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"SLnk";

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkService {
    /// The metadata service.
    Metadata,
    /// A storage daemon.
    Storage,
}

impl LinkService {
    /// Its name, in messages and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Storage => "storage",
        }
    }

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Metadata => 1,
            Self::Storage => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Metadata),
            2 => Some(Self::Storage),
            _ => None,
        }
    }
}

impl fmt::Display for LinkService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The head of a message: how long its body is, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageHead {
    version: u8,
    kind: u8,
    service: u8,
    body_bytes: u8,
}

impl MessageHead {
    /// Reads a head.
    ///
    /// # Errors
    /// [`LinkError::NoProof`] if it is none.
    pub fn decode(bytes: &[u8; HEAD_BYTES]) -> Result<Self, LinkError> {
        let [m0, m1, m2, m3, version, kind, service, body_bytes] = *bytes;
        match [m0, m1, m2, m3] == MAGIC {
            true => Ok(Self {
                version,
                kind,
                service,
                body_bytes,
            }),
            false => Err(LinkError::NoProof),
        }
    }

    /// Bytes of the body that follows, at most 255.
    pub fn body_bytes(&self) -> usize {
        usize::from(self.body_bytes)
    }
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Hello { nonce: Nonce },
    Challenge { nonce: Nonce, proof: Proof },
    Proof { proof: Proof },
    Refusal(Refusal),
}

impl Message {
    /// The message in bytes, from the side that has `service`.
    pub(super) fn encode(&self, service: LinkService) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Hello { nonce } => (1, nonce.to_vec()),
            Self::Challenge { nonce, proof } => (2, [&nonce[..], proof].concat()),
            Self::Proof { proof } => (3, proof.to_vec()),
            Self::Refusal(refusal) => (4, vec![reason(*refusal)]),
        };
        // No body is longer than a Challenge's 64 bytes.
        let head = [VERSION, kind, service.code(), body.len() as u8];
        [&MAGIC[..], &head, &body].concat()
    }

    /// Reads a message that is for the side that has `service`.
    pub(super) fn decode(
        head: MessageHead,
        body: &[u8],
        service: LinkService,
    ) -> Result<Self, LinkError> {
        if head.version != VERSION {
            return Err(LinkError::OtherVersion {
                found: head.version,
            });
        }
        let found = LinkService::from_code(head.service).ok_or(LinkError::NoProof)?;
        if found != service {
            return Err(LinkError::OtherService {
                expected: service,
                found,
            });
        }
        let message = match head.kind {
            1 => <Nonce>::try_from(body)
                .ok()
                .map(|nonce| Self::Hello { nonce }),
            2 => challenge(body),
            3 => <Proof>::try_from(body)
                .ok()
                .map(|proof| Self::Proof { proof }),
            4 => refusal(body, found).map(Self::Refusal),
            _ => None,
        };
        message.ok_or(LinkError::NoProof)
    }
}

/// Whether `head` and `body` are a message of the exchange on a link to `service`: what decides over bytes of which nothing
/// is known.
///
/// # Errors
/// Why they are not.
pub fn read_message(
    head: &[u8; HEAD_BYTES],
    body: &[u8],
    service: LinkService,
) -> Result<(), LinkError> {
    let head = MessageHead::decode(head)?;
    Message::decode(head, body, service).map(drop)
}

fn challenge(body: &[u8]) -> Option<Message> {
    let (nonce, proof) = body.split_at_checked(NONCE_BYTES)?;
    Some(Message::Challenge {
        nonce: nonce.try_into().ok()?,
        proof: proof.try_into().ok()?,
    })
}

const fn reason(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::OtherKey => 1,
        Refusal::OtherVersion => 2,
        Refusal::OtherService(_) => 3,
    }
}

fn refusal(body: &[u8], from: LinkService) -> Option<Refusal> {
    match body {
        [1] => Some(Refusal::OtherKey),
        [2] => Some(Refusal::OtherVersion),
        [3] => Some(Refusal::OtherService(from)),
        _ => None,
    }
}
