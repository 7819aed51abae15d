//! The record of a directory entry.

use bytes::Bytes;
use sluice_types::{FileName, InodeId};

use super::codec::{Reader, Writer};
use crate::error::MetaError;

const VERSION: u8 = 1;

/// What is under a directory's cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryRecord {
    /// A name.
    Entry(Entry),
    /// A name was here, and one that was placed beyond it still is.
    Tombstone,
}

/// A name and what it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it leads to.
    pub inode: InodeId,
    /// The name.
    pub name: FileName,
}

impl EntryRecord {
    /// Encodes the record's value. A tombstone has inode 0 and no name.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Entry(entry) => {
                let name = entry.name.as_bytes();
                let mut writer = Writer::new(VERSION, 8 + name.len());
                writer.u64(entry.inode.raw());
                writer.bytes(name);
                writer.finish()
            }
            Self::Tombstone => {
                let mut writer = Writer::new(VERSION, 8);
                writer.u64(0);
                writer.finish()
            }
        }
    }

    /// Decodes a value; the name shares its memory.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(bytes: &Bytes) -> Result<Self, MetaError> {
        let mut reader = Reader::new("directory entry", VERSION, bytes)?;
        let Some(inode) = InodeId::new(reader.u64()?) else {
            reader.end()?;
            return Ok(Self::Tombstone);
        };
        let name = FileName::new(bytes.slice(bytes.len() - reader.rest().len()..));
        let name = name.map_err(|error| MetaError::Damaged {
            record: "directory entry",
            expected: "a name",
            found: error.to_string(),
        })?;
        Ok(Self::Entry(Entry { inode, name }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let entry = EntryRecord::Entry(Entry {
            inode: InodeId::new(0x0102).unwrap(),
            name: FileName::new(&b"name"[..]).unwrap(),
        });
        assert_eq!(&entry.encode()[..], b"\x01\x02\x01\0\0\0\0\0\0name");
        assert_eq!(EntryRecord::decode(&entry.encode()).unwrap(), entry);
        let tombstone = EntryRecord::Tombstone;
        assert_eq!(&tombstone.encode()[..], b"\x01\0\0\0\0\0\0\0\0");
        assert_eq!(EntryRecord::decode(&tombstone.encode()).unwrap(), tombstone);
    }

    #[test]
    fn damage_is_an_error() {
        for damaged in [
            &b""[..],
            b"\x01\x01\0\0",
            b"\x01\x01\0\0\0\0\0\0\0a/b",
            b"\x02",
        ] {
            assert!(EntryRecord::decode(&Bytes::from_static(damaged)).is_err());
        }
    }
}
