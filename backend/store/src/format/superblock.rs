//! Who a target is.

use sluice_types::{FileSystemId, TargetId, TargetUuid};

use super::bytes::{put, u32_at, u64_at, u128_at};
use super::{BLOCK_BYTES, FORMAT_VERSION, SUPERBLOCK_NAME};
use crate::StoreError;

const MAGIC: &[u8; 8] = b"SLUICEST";
const CRC_AT: usize = BLOCK_BYTES - 4;

/// The contents of the superblock file. See the module's byte map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The target's number in the cluster; [`TargetId::UNREGISTERED`] until it has one.
    pub target: TargetId,
    /// The target's own name.
    pub uuid: TargetUuid,
    /// Size of a slab, in blocks.
    pub slab_blocks: u32,
    /// The file system whose chunks these are; `None` until the target is a part of one.
    pub file_system: Option<FileSystemId>,
}

impl Superblock {
    /// The block's bytes.
    pub fn encode(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        put(&mut block, 0, MAGIC);
        put(&mut block, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut block, 12, &self.target.raw().to_le_bytes());
        put(&mut block, 16, &self.uuid.raw().to_le_bytes());
        put(&mut block, 32, &self.slab_blocks.to_le_bytes());
        let file_system = self.file_system.map_or(0, FileSystemId::raw);
        put(&mut block, 36, &file_system.to_le_bytes());
        let crc = crc32c::crc32c(&block[..CRC_AT]);
        put(&mut block, CRC_AT, &crc.to_le_bytes());
        block
    }

    /// Reads a block.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is not a superblock or fails its checksum,
    /// [`StoreError::UnknownVersion`] if another version wrote it.
    pub fn decode(block: &[u8]) -> Result<Self, StoreError> {
        let damaged = |what: &str| StoreError::Corrupt(format!("superblock: {what}"));
        if block.len() != BLOCK_BYTES {
            return Err(damaged("wrong size"));
        }
        if &block[..8] != MAGIC {
            return Err(damaged("wrong magic"));
        }
        let version = u32_at(block, 8);
        if version != FORMAT_VERSION {
            return Err(StoreError::UnknownVersion {
                what: SUPERBLOCK_NAME.to_owned(),
                found: version,
                expected: FORMAT_VERSION,
            });
        }
        if u32_at(block, CRC_AT) != crc32c::crc32c(&block[..CRC_AT]) {
            return Err(damaged("checksum mismatch"));
        }
        let slab_blocks = u32_at(block, 32);
        if slab_blocks == 0 {
            return Err(damaged("slab size is zero"));
        }
        Ok(Self {
            target: TargetId::new(u32_at(block, 12)),
            uuid: TargetUuid::new(u128_at(block, 16)),
            slab_blocks,
            file_system: Some(FileSystemId::new(u64_at(block, 36))).filter(|id| id.raw() != 0),
        })
    }
}
