//! The record of a call that was answered, and must not be carried out again.

use std::fmt;

use bytes::Bytes;
use sluice_types::Timestamp;

use super::codec::{Reader, Writer};
use crate::error::MetaError;

const VERSION: u8 = 1;

/// What a client's call is known by: a keyed hash of [`sluice_types::CallId`] and of the user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHash([u8; 16]);

impl CallHash {
    /// Wraps a hash.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The hash's bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for CallHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyRecord {
    /// When, by the service's clock.
    pub recorded_at: Timestamp,
    /// The outcome or the refusal, as [`sluice_wire::meta::encode_result`] has it.
    pub result: Bytes,
}

impl ReplyRecord {
    /// Encodes the record's value.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(VERSION, 12 + self.result.len());
        writer.timestamp(self.recorded_at);
        writer.bytes(&self.result);
        writer.finish()
    }

    /// Decodes a value; the result shares its bytes.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(bytes: &Bytes) -> Result<Self, MetaError> {
        let mut reader = Reader::new("reply", VERSION, bytes)?;
        let recorded_at = reader.timestamp()?;
        Ok(Self {
            recorded_at,
            result: bytes.slice_ref(reader.rest()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let reply = ReplyRecord {
            recorded_at: Timestamp::new(0x0102, 3),
            result: Bytes::from_static(b"result"),
        };
        let bytes = reply.encode();
        assert_eq!(&bytes[..], b"\x01\x02\x01\0\0\0\0\0\0\x03\0\0\0result");
        assert_eq!(ReplyRecord::decode(&bytes).unwrap(), reply);
        assert!(ReplyRecord::decode(&bytes.slice(..12)).is_err());
        assert!(ReplyRecord::decode(&bytes.slice(1..)).is_err());
    }
}
