//! The key that members of a cluster share, and what is proved with it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::message::{LinkService, NONCE_BYTES, PROOF_BYTES, VERSION};

/// Says what a derived key is for, so that the same secret gives other keys for other ends.
const PURPOSE: &[u8] = b"sluice links 1";

/// What proofs are made over begins with this.
const PROVED: &[u8] = b"sluice link proof";

/// A number used once.
pub(super) type Nonce = [u8; NONCE_BYTES];

/// An HMAC-SHA-256 (RFC 2104, FIPS 180-4).
pub(super) type Proof = [u8; PROOF_BYTES];

/// The key that links are proved with. It is not shown in logs.
#[derive(Clone)]
pub struct LinkKey([u8; 32]);

impl fmt::Debug for LinkKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LinkKey(secret)")
    }
}

/// Who proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The one who made the connection.
    Asker = 1,
    /// The one who accepted it.
    Accepter = 2,
}

/// All that a proof is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proved {
    pub(super) role: Role,
    pub(super) service: LinkService,
    pub(super) of_asker: Nonce,
    pub(super) of_accepter: Nonce,
}

impl LinkKey {
    /// The key for links out of a cluster's secret of 128 bits.
    pub fn derive(secret: &[u8; 16]) -> Self {
        let mut mac = keyed(secret);
        mac.update(PURPOSE);
        Self(mac.finalize().into_bytes().into())
    }

    /// Proves.
    pub(super) fn prove(&self, proved: &Proved) -> Proof {
        self.over(proved).finalize().into_bytes().into()
    }

    /// Whether a proof is right; takes as long whichever byte is wrong.
    pub(super) fn is_proof(&self, proved: &Proved, proof: &Proof) -> bool {
        self.over(proved).verify_slice(proof).is_ok()
    }

    /// Every part has a fixed length, so that no two different things are proved alike.
    fn over(&self, proved: &Proved) -> Hmac<Sha256> {
        let mut mac = keyed(&self.0);
        mac.update(PROVED);
        mac.update(&[VERSION, proved.service.code(), proved.role as u8]);
        mac.update(&proved.of_asker);
        mac.update(&proved.of_accepter);
        mac
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // A key of up to a block is used as it is (RFC 2104 section 2): padded by hand, none has a length that is refused.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    let length = key.len().min(block.len());
    block[..length].copy_from_slice(&key[..length]);
    Hmac::new(&block)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 section 4.3 (test case 2).
    #[test]
    fn the_mac_is_the_standards() {
        let mut mac = keyed(b"Jefe");
        mac.update(b"what do ya want for nothing?");
        let made: Proof = mac.finalize().into_bytes().into();
        let hex: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_proof_is_of_one_key_role_service_and_connection() {
        let key = LinkKey::derive(&[1; 16]);
        let proved = Proved {
            role: Role::Asker,
            service: LinkService::Metadata,
            of_asker: [3; 32],
            of_accepter: [4; 32],
        };
        let proof = key.prove(&proved);
        assert!(key.is_proof(&proved, &proof));
        let others = [
            Proved {
                role: Role::Accepter,
                ..proved
            },
            Proved {
                service: LinkService::Storage,
                ..proved
            },
            Proved {
                of_asker: [5; 32],
                ..proved
            },
            Proved {
                of_accepter: [5; 32],
                ..proved
            },
            Proved {
                of_asker: [4; 32],
                of_accepter: [3; 32],
                ..proved
            },
        ];
        for other in &others {
            assert!(!key.is_proof(other, &proof), "{other:?}");
        }
        assert!(!LinkKey::derive(&[2; 16]).is_proof(&proved, &proof));
        assert_eq!(format!("{key:?}"), "LinkKey(secret)");
    }
}
