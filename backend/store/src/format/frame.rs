//! Frames: the log's unit of atomicity.

use thiserror::Error;

use super::BLOCK_BYTES;
use super::bytes::{put, u32_at, u64_at};

const MAGIC: &[u8; 4] = b"SLFR";

/// Bytes of a frame before its records.
pub const FRAME_HEADER_BYTES: usize = 32;

/// A frame's header, once its checksum was found good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// One more than the frame before.
    pub sequence: u64,
    /// Number of the oldest segment still needed.
    pub log_start: u64,
    /// Length of the records, in bytes.
    pub body_bytes: u32,
    /// Number of records.
    pub records: u32,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No frame starts here.
    #[error("no frame")]
    Absent,
    /// It says it is longer than what is left of the segment.
    #[error("the frame is longer than its segment")]
    TooLong,
    /// Its checksum does not match: torn or damaged.
    #[error("the frame's checksum does not match")]
    Checksum,
}

/// Bytes a frame with that body takes in the segment.
pub const fn frame_bytes(body_bytes: usize) -> usize {
    (FRAME_HEADER_BYTES + body_bytes).next_multiple_of(BLOCK_BYTES)
}

/// Completes a frame: `frame` has room for the header, then the body.
///
/// # Panics
/// If `frame` is shorter than a header: a bug of the caller.
pub fn seal_frame(frame: &mut [u8], sequence: u64, log_start: u64, records: u32, salt: u64) {
    let body_bytes = frame.len() - FRAME_HEADER_BYTES;
    put(frame, 0, MAGIC);
    put(frame, 8, &sequence.to_le_bytes());
    put(frame, 16, &log_start.to_le_bytes());
    put(frame, 24, &(body_bytes as u32).to_le_bytes());
    put(frame, 28, &records.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &frame[8..]);
    put(frame, 4, &crc.to_le_bytes());
}

/// Reads the frame at the start of `bytes`: its header and its body.
///
/// # Errors
/// [`FrameError`] if there is no whole frame.
pub fn decode_frame(bytes: &[u8], salt: u64) -> Result<(FrameHeader, &[u8]), FrameError> {
    if bytes.len() < FRAME_HEADER_BYTES || &bytes[..4] != MAGIC {
        return Err(FrameError::Absent);
    }
    let header = FrameHeader {
        sequence: u64_at(bytes, 8),
        log_start: u64_at(bytes, 16),
        body_bytes: u32_at(bytes, 24),
        records: u32_at(bytes, 28),
    };
    let end = FRAME_HEADER_BYTES.saturating_add(header.body_bytes as usize);
    if end > bytes.len() {
        return Err(FrameError::TooLong);
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &bytes[8..end]);
    if crc != u32_at(bytes, 4) {
        return Err(FrameError::Checksum);
    }
    Ok((header, &bytes[FRAME_HEADER_BYTES..end]))
}
