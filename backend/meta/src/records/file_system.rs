//! The record that makes a store a file system: written once, when it is first opened.

use bytes::Bytes;
use sluice_types::FileSystemId;

use super::codec::{Reader, Writer};
use crate::error::MetaError;

/// The version of the whole store's format; another one is refused.
pub const FORMAT_VERSION: u8 = 1;

/// What is random about a file system, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystemRecord {
    /// Part of every file handle.
    pub id: FileSystemId,
    /// The key under which names are hashed to cookies.
    pub hash_key: u128,
}

impl FileSystemRecord {
    /// Encodes the record's value.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(FORMAT_VERSION, 24);
        writer.u64(self.id.raw());
        writer.u128(self.hash_key);
        writer.finish()
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// [`MetaError::Damaged`], also if the store has another format.
    pub fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let mut reader = Reader::new("file system", FORMAT_VERSION, bytes)?;
        let record = Self {
            id: FileSystemId::new(reader.u64()?),
            hash_key: reader.u128()?,
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
        let record = FileSystemRecord {
            id: FileSystemId::new(0x0102),
            hash_key: 3,
        };
        let bytes = record.encode();
        let expected = b"\x01\x02\x01\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(&bytes[..], expected);
        assert_eq!(FileSystemRecord::decode(&bytes).unwrap(), record);
    }
}
