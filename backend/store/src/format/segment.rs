//! The header block of a log segment.

use sluice_types::TargetUuid;

use super::bytes::{put, u32_at, u64_at, u128_at};
use super::{BLOCK_BYTES, FORMAT_VERSION, segment_name};
use crate::StoreError;

const MAGIC: &[u8; 8] = b"SLUICELG";
const CRC_AT: usize = BLOCK_BYTES - 4;

/// The first block of a log segment. See the module's byte map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The segment's number.
    pub number: u64,
    /// The target it belongs to.
    pub uuid: TargetUuid,
    /// Sequence of its first frame.
    pub first_sequence: u64,
    /// Mixed into the checksum of its frames.
    pub salt: u64,
    /// Number of the oldest segment that was still needed when this one was begun.
    pub log_start: u64,
}

impl SegmentHeader {
    /// The block's bytes.
    pub fn encode(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        put(&mut block, 0, MAGIC);
        put(&mut block, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut block, 16, &self.number.to_le_bytes());
        put(&mut block, 24, &self.uuid.raw().to_le_bytes());
        put(&mut block, 40, &self.first_sequence.to_le_bytes());
        put(&mut block, 48, &self.salt.to_le_bytes());
        put(&mut block, 56, &self.log_start.to_le_bytes());
        let crc = crc32c::crc32c(&block[..CRC_AT]);
        put(&mut block, CRC_AT, &crc.to_le_bytes());
        block
    }

    /// Reads a block; none if it is not a whole segment header (a torn or never written one).
    ///
    /// # Errors
    /// [`StoreError::UnknownVersion`] if another version wrote it.
    pub fn decode(block: &[u8]) -> Result<Option<Self>, StoreError> {
        if block.len() < BLOCK_BYTES || &block[..8] != MAGIC {
            return Ok(None);
        }
        if u32_at(block, CRC_AT) != crc32c::crc32c(&block[..CRC_AT]) {
            return Ok(None);
        }
        let number = u64_at(block, 16);
        let version = u32_at(block, 8);
        if version != FORMAT_VERSION {
            return Err(StoreError::UnknownVersion {
                what: segment_name(number),
                found: version,
                expected: FORMAT_VERSION,
            });
        }
        Ok(Some(Self {
            number,
            uuid: TargetUuid::new(u128_at(block, 24)),
            first_sequence: u64_at(block, 40),
            salt: u64_at(block, 48),
            log_start: u64_at(block, 56),
        }))
    }
}
