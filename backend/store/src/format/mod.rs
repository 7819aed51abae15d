//! The bytes on disk: this module is their only home.
//!
//! A target is one directory:
//!
//! | file | holds |
//! |---|---|
//! | `superblock` | who the target is; one block, replaced by rename |
//! | `log-NNNNNNNN` | log segment number N (decimal, from 1): index and journal |
//! | `log-spare` | a segment file that is not in use: zeroed, or with the remains of an old segment |
//! | `log-new`, `log-zeroing` | segment files being prepared; worth nothing after a crash |
//! | `slab-NNNN` | data blocks N * S to (N + 1) * S - 1, where S is the slab size in blocks |
//!
//! All numbers are little-endian; a block is 4096 bytes; every checksum is crc32c. Reserved bytes are
//! zero when written and ignored when read.
//!
//! **Superblock** (4096 bytes)
//!
//! | at | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SLUICEST` |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | target id; 0 until the metadata service gave one |
//! | 16 | 16 | target uuid |
//! | 32 | 4 | slab size in blocks |
//! | 36 | 8 | id of the file system whose chunks these are; 0 until the target is a part of one |
//! | 4092 | 4 | crc of all before |
//!
//! **Log segment**: a header block, then frames, each starting on a block border.
//!
//! | at | bytes | segment header field |
//! |---|---|---|
//! | 0 | 8 | magic `SLUICELG` |
//! | 8 | 4 | format version, 1 |
//! | 16 | 8 | segment number |
//! | 24 | 16 | target uuid |
//! | 40 | 8 | sequence of its first frame |
//! | 48 | 8 | salt: random, mixed into the crc of its frames |
//! | 56 | 8 | number of the oldest segment still needed when it was begun |
//! | 4092 | 4 | crc of all before |
//!
//! | at | bytes | frame header field (32 bytes, then the body, then zeros to the block border) |
//! |---|---|---|
//! | 0 | 4 | magic `SLFR` |
//! | 4 | 4 | crc of the segment's salt (8 bytes), header bytes 8 to 31 and the body |
//! | 8 | 8 | sequence: one more than the frame before, also across segments |
//! | 16 | 8 | number of the oldest segment that is still needed |
//! | 24 | 4 | length of the body in bytes |
//! | 28 | 4 | number of records |
//!
//! | at | bytes | record header field (32 bytes) |
//! |---|---|---|
//! | 0 | 1 | kind |
//! | 4 | 4 | count: extents, or bytes of data |
//! | 8 | 8 | inode |
//! | 16 | 4 | chunk index |
//! | 20 | 4 | argument |
//! | 24 | 8 | version |
//!
//! | kind | record | argument | followed by |
//! |---|---|---|---|
//! | 1 | chunk state: all data of the chunk up to `version` | chunk length | `count` extents |
//! | 2 | data: bytes written to the chunk as `version` | offset in chunk | `count` bytes, zeros to 8 |
//! | 3 | file removed | 0 | |
//! | 4 | file cut: later chunks gone, this one cut | new chunk length | |
//! | 5 | chunk removed | 0 | |
//! | 6 | kept data: like 2, beyond the chunk's end, which it does not move | offset in chunk | `count` bytes, zeros to 8 |
//!
//! | bits | extent field (16 bytes) |
//! |---|---|
//! | 0..48 | address: first slab block of the parent |
//! | 48..52 | parent's blocks less 1 |
//! | 52..56 | blocks of the parent before this part |
//! | 56..60 | blocks of this part less 1 |
//! | 64..80 | first block within the chunk |
//! | 96..128 | crc of the parent's blocks, padding included |
//!
//! An extent is a part of a *parent*: up to 16 blocks that were written at once and are verified as a
//! whole. A partial overwrite trims the part; the parent's blocks are free when no part is left.
//! Parents belong to one chunk, and parts do not cross borders of 64 KiB in it.
//!
//! **Replay.** Records in order. A chunk state replaces an older one of the same chunk (one with a
//! lower version is ignored: compaction may write it again late) and covers the data records up to its
//! version. A cut in the middle of a block also zeroes the rest of that block.
//!
//! Extents have whole blocks. When a block is overwritten in part and its other bytes turn out to be damaged, the new
//! bytes stay in the log: before each new state of the chunk, with a higher version than the state's, as data up to the
//! chunk's end and as kept data beyond it. The state may be missing, if the flush that was to make it failed: then the
//! data alone says how long the chunk is. The damaged extent stays in the state, so the other bytes stay known as damaged.
//!
//! **What is assumed of the medium.** A flush makes all earlier finished writes of that file durable.
//! Unflushed writes may survive in any part, in units of 512 bytes. One frame is unflushed at a time, so
//! only the last can be torn: a bad frame followed by a good one is damage, and the store does
//! not open. The salt keeps user data that looks like a frame from being taken for one.
//! A segment gets its number (by rename) once its header is durable, so a numbered segment without a good
//! header is damage too. After each start a new segment is begun, so no frame is written over a torn one; if there is no
//! space for it, the log goes on in the last segment, once the block where a torn frame may begin is durably zero.
//!
//! **Changing it.** A new layout gets a new version in superblock and segment header; old
//! versions stay readable, with fixtures in the tests here.

mod bytes;
mod extent;
mod frame;
mod record;
mod segment;
mod superblock;
#[cfg(test)]
mod tests;

pub use extent::{Extent, ExtentParts};
pub use frame::{
    FRAME_HEADER_BYTES, FrameError, FrameHeader, decode_frame, frame_bytes, seal_frame,
};
pub use record::{
    RECORD_HEADER_BYTES, Record, RecordError, data_record_bytes, encode_record, records,
};
pub use segment::SegmentHeader;
pub use superblock::Superblock;

/// Bytes of a block: the unit of allocation, checksums and device access.
pub const BLOCK_BYTES: usize = 4096;
/// The most blocks an extent's parent has: what a random read must verify.
pub const EXTENT_BLOCKS_MAX: u32 = 16;
/// The format version that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// The smallest log segment: header and a few frames.
pub const SEGMENT_BYTES_MIN: u64 = 16 * BLOCK_BYTES as u64;

/// Name of the superblock file.
pub const SUPERBLOCK_NAME: &str = "superblock";
/// Name under which a new superblock is written before it replaces the old.
pub const SUPERBLOCK_NEW_NAME: &str = "superblock.new";

/// Name of the prepared segment file that is not in use.
pub const SEGMENT_SPARE_NAME: &str = "log-spare";
/// Name of a segment file that gets its header.
pub const SEGMENT_NEW_NAME: &str = "log-new";
/// Name of a segment file that is being zeroed.
pub const SEGMENT_ZEROING_NAME: &str = "log-zeroing";

/// Name of log segment `number`.
pub fn segment_name(number: u64) -> String {
    format!("log-{number:08}")
}

/// Name of slab `number`.
pub fn slab_name(number: u32) -> String {
    format!("slab-{number:04}")
}

/// The number of a log segment of that name.
pub fn parse_segment_name(name: &str) -> Option<u64> {
    let number = name.strip_prefix("log-")?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

/// The number of a slab of that name.
pub fn parse_slab_name(name: &str) -> Option<u32> {
    let number = name.strip_prefix("slab-")?.parse().ok()?;
    (slab_name(number) == name).then_some(number)
}

/// Blocks needed for `bytes`.
pub const fn blocks_of(bytes: u32) -> u32 {
    bytes.div_ceil(BLOCK_BYTES as u32)
}

/// Bytes of `blocks`.
pub const fn bytes_of(blocks: u64) -> u64 {
    blocks * BLOCK_BYTES as u64
}
