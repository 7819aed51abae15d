//! Which message follows which: plain functions, one value for each side. What cannot follow is [`LinkError::NoProof`].

use super::error::{LinkError, Refusal};
use super::key::{LinkKey, Nonce, Proved, Role};
use super::message::{LinkService, Message};

/// The side that made the connection, with its Hello sent.
#[derive(Debug)]
pub(super) struct Asker<'key> {
    key: &'key LinkKey,
    service: LinkService,
    nonce: Nonce,
}

impl<'key> Asker<'key> {
    /// Begins with a fresh nonce; and the Hello to send.
    pub(super) fn begin(key: &'key LinkKey, service: LinkService, nonce: Nonce) -> (Self, Message) {
        let asker = Self {
            key,
            service,
            nonce,
        };
        (asker, Message::Hello { nonce })
    }

    /// Checks what the accepter says; the Proof to send, behind which requests may follow at once.
    pub(super) fn answer(&self, said: &Message) -> Result<Message, LinkError> {
        let Message::Challenge { nonce, proof } = said else {
            return Err(unexpected(said, self.service));
        };
        let mut proved = Proved {
            role: Role::Accepter,
            service: self.service,
            of_asker: self.nonce,
            of_accepter: *nonce,
        };
        if !self.key.is_proof(&proved, proof) {
            return Err(LinkError::OtherKey);
        }
        proved.role = Role::Asker;
        let proof = self.key.prove(&proved);
        Ok(Message::Proof { proof })
    }
}

/// The side that accepted the connection, with its Challenge sent.
#[derive(Debug)]
pub(super) struct Accepter<'key> {
    key: &'key LinkKey,
    expected: Proved,
}

impl<'key> Accepter<'key> {
    /// Answers a Hello, with a fresh nonce; and the Challenge to send.
    pub(super) fn begin(
        key: &'key LinkKey,
        service: LinkService,
        nonce: Nonce,
        said: &Message,
    ) -> Result<(Self, Message), LinkError> {
        let Message::Hello { nonce: of_asker } = said else {
            return Err(unexpected(said, service));
        };
        let proved = |role| Proved {
            role,
            service,
            of_asker: *of_asker,
            of_accepter: nonce,
        };
        let proof = key.prove(&proved(Role::Accepter));
        let accepter = Self {
            key,
            expected: proved(Role::Asker),
        };
        Ok((accepter, Message::Challenge { nonce, proof }))
    }

    /// Checks the asker's proof: with it the link is made.
    pub(super) fn check(&self, said: &Message) -> Result<(), LinkError> {
        match said {
            Message::Proof { proof } if self.key.is_proof(&self.expected, proof) => Ok(()),
            Message::Proof { .. } => Err(LinkError::OtherKey),
            other => Err(unexpected(other, self.expected.service)),
        }
    }
}

fn unexpected(said: &Message, service: LinkService) -> LinkError {
    match said {
        Message::Refusal(Refusal::OtherKey) => LinkError::OtherKey,
        // Which one is in the head of the message, and was seen there first.
        Message::Refusal(Refusal::OtherVersion) => LinkError::OtherVersion { found: 0 },
        Message::Refusal(Refusal::OtherService(found)) => LinkError::OtherService {
            expected: service,
            found: *found,
        },
        Message::Hello { .. } | Message::Challenge { .. } | Message::Proof { .. } => {
            LinkError::NoProof
        }
    }
}
