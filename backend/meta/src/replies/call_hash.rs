//! From a client's call to the 128 bits that it is known by.
//!
//! The hash is keyed, so that nobody can send calls whose hashes collide, and long enough that no two of all calls ever
//! sent do by chance. The user is hashed too: nobody gets the reply to another's call by guessing its number.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use sluice_types::{CallId, Credentials};

use crate::records::CallHash;

/// Tells this use of the file system's key from others.
const PURPOSE: &[u8] = b"replies of calls that must not be done twice";

/// Hashes calls under a key that clients do not know.
#[derive(Clone, Debug)]
pub(super) struct CallHasher(SipHasher24);

impl CallHasher {
    /// A hash under a key of its own, made from the file system's.
    pub(super) fn new(file_system_key: u128) -> Self {
        let key = SipHasher24::new_with_key(&file_system_key.to_le_bytes()).hash(PURPOSE);
        Self(SipHasher24::new_with_key(&u128::from(key).to_le_bytes()))
    }

    /// What a user's call is known by.
    pub(super) fn hash(&self, call: &CallId, credentials: &Credentials) -> CallHash {
        let mut hasher = self.0;
        for number in [call.xid, call.procedure, call.checksum, credentials.uid] {
            hasher.write(&number.to_le_bytes());
        }
        // The one part of no fixed length comes last.
        hasher.write(&call.client);
        CallHash::new(u128::from(hasher.finish128()).to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn call() -> CallId {
        CallId {
            client: Bytes::from_static(b"machine@192.0.2.1"),
            xid: 7,
            procedure: 8,
            checksum: 9,
        }
    }

    #[test]
    fn golden_hash() {
        // Hashes are durable: a service that is restarted must know the calls of the one before.
        let hash = CallHasher::new(1).hash(&call(), &Credentials::root());
        assert_eq!(format!("{hash:?}"), "1b736626f8c0597088a53e30933f4e10");
    }

    #[test]
    fn whatever_differs_makes_another_call() {
        let (hasher, root) = (CallHasher::new(1), Credentials::root());
        let others = [
            CallId {
                client: Bytes::from_static(b"machine@192.0.2.2"),
                ..call()
            },
            CallId { xid: 8, ..call() },
            CallId {
                procedure: 9,
                ..call()
            },
            CallId {
                checksum: 10,
                ..call()
            },
        ];
        let mut hashes: Vec<_> = others
            .iter()
            .map(|other| hasher.hash(other, &root))
            .collect();
        hashes.push(hasher.hash(&call(), &root));
        hashes.push(hasher.hash(&call(), &Credentials::new(1, 0)));
        hashes.push(CallHasher::new(2).hash(&call(), &root));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 7);
    }
}
