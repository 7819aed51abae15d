//! The record of an inode.

use bytes::Bytes;
use sluice_types::{
    Attributes, DataVersion, Device, FileKind, Generation, Inode, InodeId, Mode, SessionId,
};

use super::codec::{Reader, Writer};
use crate::error::MetaError;

const VERSION: u8 = 1;
const BYTES: usize = 160;
const HAS_TRIM: u8 = 1;
const HAS_VERIFIER: u8 = 2;

/// All that is durable of an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InodeRecord {
    /// What gateways get to see.
    pub node: Inode,
    /// How many entries a directory has; zero for other kinds.
    pub entry_count: u64,
    /// The verifier of the exclusive create that made the file, until its first SETATTR.
    pub create_verifier: Option<[u8; 8]>,
}

impl InodeRecord {
    /// The data version of a file that was never opened for writing.
    pub const FIRST_DATA_VERSION: DataVersion = DataVersion::new(1);

    /// Whether storage may hold something of the file: it was opened for writing or cut at some time.
    pub fn may_have_data(&self) -> bool {
        self.node.data_version != Self::FIRST_DATA_VERSION
    }

    /// Encodes the record's value.
    pub fn encode(&self) -> Bytes {
        let (node, attributes) = (&self.node, &self.node.attributes);
        let mut writer = Writer::new(VERSION, BYTES);
        let mut flags = 0;
        if node.pending_trim.is_some() {
            flags |= HAS_TRIM;
        }
        if self.create_verifier.is_some() {
            flags |= HAS_VERIFIER;
        }
        writer.u8(flags);
        writer.u8(kind_number(attributes.kind));
        writer.u16(attributes.mode.bits());
        writer.u32(attributes.link_count);
        writer.u32(attributes.uid);
        writer.u32(attributes.gid);
        writer.u64(attributes.size_bytes);
        writer.u64(attributes.used_bytes);
        writer.u32(attributes.device.major);
        writer.u32(attributes.device.minor);
        writer.timestamp(attributes.accessed);
        writer.timestamp(attributes.modified);
        writer.timestamp(attributes.changed);
        writer.u32(node.generation.raw());
        writer.u64(node.parent.raw());
        writer.layout(&node.layout);
        writer.u64(node.data_version.raw());
        writer.u64(node.writer.raw());
        writer.u64(self.entry_count);
        if let Some(trim) = node.pending_trim {
            writer.u64(trim);
        }
        if let Some(verifier) = &self.create_verifier {
            writer.bytes(verifier);
        }
        writer.finish()
    }

    /// Decodes the value under the key of inode `id`.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(id: InodeId, bytes: &[u8]) -> Result<Self, MetaError> {
        let mut reader = Reader::new("inode", VERSION, bytes)?;
        let flags = reader.u8()?;
        let attributes = decode_attributes(&mut reader)?;
        let generation = Generation::new(reader.u32()?);
        let parent = reader.u64()?;
        let parent =
            InodeId::new(parent).ok_or_else(|| reader.damaged("a parent", parent.to_string()))?;
        let node = Inode {
            id,
            generation,
            attributes,
            parent,
            layout: reader.layout()?,
            data_version: DataVersion::new(reader.u64()?),
            writer: SessionId::new(reader.u64()?),
            pending_trim: None,
        };
        let mut record = Self {
            node,
            entry_count: reader.u64()?,
            create_verifier: None,
        };
        if flags & HAS_TRIM != 0 {
            record.node.pending_trim = Some(reader.u64()?);
        }
        if flags & HAS_VERIFIER != 0 {
            record.create_verifier = Some(reader.array()?);
        }
        reader.end()?;
        Ok(record)
    }
}

fn decode_attributes(reader: &mut Reader<'_>) -> Result<Attributes, MetaError> {
    let kind = reader.u8()?;
    let kind =
        kind_of_number(kind).ok_or_else(|| reader.damaged("a kind of inode", kind.to_string()))?;
    Ok(Attributes {
        kind,
        mode: Mode::new(u32::from(reader.u16()?)),
        link_count: reader.u32()?,
        uid: reader.u32()?,
        gid: reader.u32()?,
        size_bytes: reader.u64()?,
        used_bytes: reader.u64()?,
        device: Device {
            major: reader.u32()?,
            minor: reader.u32()?,
        },
        accessed: reader.timestamp()?,
        modified: reader.timestamp()?,
        changed: reader.timestamp()?,
    })
}

fn kind_number(kind: FileKind) -> u8 {
    match kind {
        FileKind::Regular => 1,
        FileKind::Directory => 2,
        FileKind::Symlink => 3,
        FileKind::Fifo => 4,
        FileKind::Socket => 5,
        FileKind::BlockDevice => 6,
        FileKind::CharacterDevice => 7,
    }
}

fn kind_of_number(number: u8) -> Option<FileKind> {
    Some(match number {
        1 => FileKind::Regular,
        2 => FileKind::Directory,
        3 => FileKind::Symlink,
        4 => FileKind::Fifo,
        5 => FileKind::Socket,
        6 => FileKind::BlockDevice,
        7 => FileKind::CharacterDevice,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_types::{Layout, Timestamp};

    fn record() -> InodeRecord {
        InodeRecord {
            node: Inode {
                id: InodeId::new(7).unwrap(),
                generation: Generation::new(0x0102_0304),
                attributes: Attributes {
                    kind: FileKind::Regular,
                    mode: Mode::new(0o4755),
                    link_count: 2,
                    uid: 1000,
                    gid: 1001,
                    size_bytes: 1 << 40,
                    used_bytes: 4096,
                    device: Device { major: 8, minor: 1 },
                    accessed: Timestamp::new(-1, 1),
                    modified: Timestamp::new(2, 2),
                    changed: Timestamp::new(3, 999_999_999),
                },
                parent: InodeId::new(7).unwrap(),
                layout: Layout {
                    placement_seed: 0xdead_beef,
                    ..Layout::DEFAULT
                },
                data_version: DataVersion::new(5),
                writer: SessionId::new(6),
                pending_trim: Some(100),
            },
            entry_count: 0,
            create_verifier: Some(*b"verifier"),
        }
    }

    #[test]
    fn golden_bytes() {
        let hex: String = record()
            .encode()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let expected = concat!(
            "01",
            "03",
            "01",
            "ed09",
            "02000000",
            "e8030000",
            "e9030000",
            "0000000000010000",
            "0010000000000000",
            "0800000001000000",
            "ffffffffffffffff01000000",
            "020000000000000002000000",
            "0300000000000000ffc99a3b",
            "04030201",
            "0700000000000000",
            "00001000",
            "10000000",
            "01000000",
            "efbeadde",
            "0500000000000000",
            "0600000000000000",
            "0000000000000000",
            "6400000000000000",
            "7665726966696572",
        );
        assert_eq!(hex, expected);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut record = record();
        for (trim, verifier) in [(None, None), (Some(0), None), (None, Some([1; 8]))] {
            record.node.pending_trim = trim;
            record.create_verifier = verifier;
            let decoded = InodeRecord::decode(record.node.id, &record.encode());
            assert_eq!(decoded.unwrap(), record);
        }
    }

    #[test]
    fn damage_is_an_error_at_every_length() {
        let bytes = record().encode();
        let id = InodeId::ROOT;
        for length in 0..bytes.len() {
            assert!(
                InodeRecord::decode(id, &bytes[..length]).is_err(),
                "{length}"
            );
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert!(InodeRecord::decode(id, &longer).is_err());
        longer[0] = 9;
        let error = InodeRecord::decode(id, &longer).unwrap_err();
        assert!(error.to_string().contains("version 9"), "{error}");
    }
}
