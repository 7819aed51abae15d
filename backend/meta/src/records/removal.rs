//! The record of a removed file whose storage is still to be freed.

use bytes::Bytes;
use sluice_types::Layout;

use super::codec::{Reader, Writer};
use crate::error::MetaError;

const VERSION: u8 = 1;

/// Where a removed file's chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalRecord {
    /// The file's layout.
    pub layout: Layout,
}

impl RemovalRecord {
    /// Encodes the record's value.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(VERSION, 16);
        writer.layout(&self.layout);
        writer.finish()
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let mut reader = Reader::new("removal", VERSION, bytes)?;
        let layout = reader.layout()?;
        reader.end()?;
        Ok(Self { layout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let removal = RemovalRecord {
            layout: Layout::DEFAULT,
        };
        let bytes = removal.encode();
        assert_eq!(&bytes[..], b"\x01\0\0\x10\0\x10\0\0\0\x01\0\0\0\0\0\0\0");
        assert_eq!(RemovalRecord::decode(&bytes).unwrap(), removal);
        assert!(RemovalRecord::decode(&bytes[1..]).is_err());
    }
}
