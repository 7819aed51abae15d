//! The record of an open session.

use bytes::Bytes;

use super::codec::{Reader, Writer};
use crate::error::MetaError;

const VERSION: u8 = 1;
const BYTES: usize = 64;

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Who holds it, for administrators.
    pub name: String,
    /// Of what its holder is the only one; empty for nothing.
    pub instance: String,
    /// Whether leases are held under it.
    pub holds_leases: bool,
}

impl SessionRecord {
    /// Encodes the record's value.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(VERSION, BYTES);
        writer.u8(u8::from(self.holds_leases));
        writer.text(&self.name);
        writer.text(&self.instance);
        writer.finish()
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let mut reader = Reader::new("session", VERSION, bytes)?;
        let holds_leases = reader.u8()? != 0;
        let record = Self {
            name: reader.text()?,
            instance: reader.text()?,
            holds_leases,
        };
        reader.end()?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let record = SessionRecord {
            name: "gateway a".into(),
            instance: "a:2049".into(),
            holds_leases: true,
        };
        let bytes = record.encode();
        assert_eq!(&bytes[..], b"\x01\x01\x09\0gateway a\x06\0a:2049");
        assert_eq!(SessionRecord::decode(&bytes).unwrap(), record);
        for length in 0..bytes.len() {
            assert!(SessionRecord::decode(&bytes[..length]).is_err(), "{length}");
        }
    }
}
