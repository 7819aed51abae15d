//! Records: what a frame says happened.

use sluice_types::{ChunkId, ChunkIndex, ChunkSize, InodeId};
use thiserror::Error;

use super::bytes::{put, u32_at, u64_at};
use super::{Extent, blocks_of};

/// Bytes of a record before its extents or data.
pub const RECORD_HEADER_BYTES: usize = 32;

const CHUNK_STATE: u8 = 1;
const DATA: u8 = 2;
const REMOVE_FILE: u8 = 3;
const CUT: u8 = 4;
const REMOVE_CHUNK: u8 = 5;
const KEPT_DATA: u8 = 6;

/// One record, borrowing from the frame. See the module's byte map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// All data of the chunk up to `version`.
    ChunkState {
        /// The chunk.
        chunk: ChunkId,
        /// What the extents include.
        version: u64,
        /// End of the chunk's last byte.
        length: u32,
        /// Its extents, by chunk block, without overlap.
        extents: Vec<Extent>,
    },
    /// Bytes written to the chunk as `version`.
    Data {
        /// The chunk.
        chunk: ChunkId,
        /// The write's version.
        version: u64,
        /// Where in the chunk.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes beyond the chunk's end, zeroes of a cut, that could not be stored as of `version`, because a part of their
    /// block is damaged. The chunk does not become longer by them.
    KeptData {
        /// The chunk.
        chunk: ChunkId,
        /// Above that of the chunk state which leaves them out.
        version: u64,
        /// Where in the chunk.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The file is gone.
    RemoveFile {
        /// The file.
        inode: InodeId,
        /// When.
        version: u64,
    },
    /// Chunks after this one are gone, this one is cut to `length`.
    Cut {
        /// The chunk that is cut.
        chunk: ChunkId,
        /// Its length at most.
        length: u32,
        /// When.
        version: u64,
    },
    /// The chunk is gone.
    RemoveChunk {
        /// The chunk.
        chunk: ChunkId,
        /// When.
        version: u64,
    },
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The body ends within a record.
    #[error("a record is longer than its frame")]
    TooLong,
    /// The kind is not known.
    #[error("record kind {0} is not known")]
    UnknownKind(u8),
    /// A field cannot be.
    #[error("a record's {0} is out of range")]
    OutOfRange(&'static str),
}

/// Adds a record to a frame's body.
pub fn encode_record(body: &mut Vec<u8>, record: &Record<'_>) {
    match record {
        Record::ChunkState {
            chunk,
            version,
            length,
            extents,
        } => {
            put_header(
                body,
                CHUNK_STATE,
                extents.len() as u32,
                *chunk,
                *length,
                *version,
            );
            for extent in extents {
                body.extend_from_slice(&extent.encode());
            }
        }
        Record::Data {
            chunk,
            version,
            offset,
            bytes,
        } => put_data(body, DATA, *chunk, *version, *offset, bytes),
        Record::KeptData {
            chunk,
            version,
            offset,
            bytes,
        } => put_data(body, KEPT_DATA, *chunk, *version, *offset, bytes),
        Record::RemoveFile { inode, version } => {
            put_header(body, REMOVE_FILE, 0, first_chunk(*inode), 0, *version);
        }
        Record::Cut {
            chunk,
            length,
            version,
        } => put_header(body, CUT, 0, *chunk, *length, *version),
        Record::RemoveChunk { chunk, version } => {
            put_header(body, REMOVE_CHUNK, 0, *chunk, 0, *version);
        }
    }
}

fn put_data(body: &mut Vec<u8>, kind: u8, chunk: ChunkId, version: u64, offset: u32, bytes: &[u8]) {
    put_header(body, kind, bytes.len() as u32, chunk, offset, version);
    body.extend_from_slice(bytes);
    body.resize(body.len().next_multiple_of(8), 0);
}

fn first_chunk(inode: InodeId) -> ChunkId {
    ChunkId {
        inode,
        index: ChunkIndex::new(0),
    }
}

fn put_header(
    body: &mut Vec<u8>,
    kind: u8,
    count: u32,
    chunk: ChunkId,
    argument: u32,
    version: u64,
) {
    let mut header = [0; RECORD_HEADER_BYTES];
    header[0] = kind;
    put(&mut header, 4, &count.to_le_bytes());
    put(&mut header, 8, &chunk.inode.raw().to_le_bytes());
    put(&mut header, 16, &chunk.index.raw().to_le_bytes());
    put(&mut header, 20, &argument.to_le_bytes());
    put(&mut header, 24, &version.to_le_bytes());
    body.extend_from_slice(&header);
}

/// Bytes of a record with that many bytes of data.
pub const fn data_record_bytes(bytes: usize) -> u64 {
    (RECORD_HEADER_BYTES + bytes.next_multiple_of(8)) as u64
}

/// The records of a frame's body, in order; ends after the first error.
pub fn records(body: &[u8]) -> impl Iterator<Item = Result<Record<'_>, RecordError>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match decode_record(rest) {
            Ok((record, used)) => {
                rest = &rest[used..];
                Some(Ok(record))
            }
            Err(error) => {
                rest = &[];
                Some(Err(error))
            }
        }
    })
}

fn decode_record(bytes: &[u8]) -> Result<(Record<'_>, usize), RecordError> {
    if bytes.len() < RECORD_HEADER_BYTES {
        return Err(RecordError::TooLong);
    }
    let count = u32_at(bytes, 4) as usize;
    let inode = InodeId::new(u64_at(bytes, 8)).ok_or(RecordError::OutOfRange("inode"))?;
    let chunk = ChunkId {
        inode,
        index: ChunkIndex::new(u32_at(bytes, 16)),
    };
    let argument = u32_at(bytes, 20);
    if argument > ChunkSize::MAX_BYTES {
        return Err(RecordError::OutOfRange("length or offset"));
    }
    let version = u64_at(bytes, 24);
    let rest = &bytes[RECORD_HEADER_BYTES..];
    let bare = |record| Ok((record, RECORD_HEADER_BYTES));
    match bytes[0] {
        CHUNK_STATE => {
            let extents = decode_extents(rest, count, argument)?;
            let used = RECORD_HEADER_BYTES + count * Extent::BYTES;
            let record = Record::ChunkState {
                chunk,
                version,
                length: argument,
                extents,
            };
            Ok((record, used))
        }
        kind @ (DATA | KEPT_DATA) => {
            let padded = count.next_multiple_of(8);
            if padded > rest.len() {
                return Err(RecordError::TooLong);
            }
            if count + argument as usize > ChunkSize::MAX_BYTES as usize {
                return Err(RecordError::OutOfRange("data length"));
            }
            let (offset, bytes) = (argument, &rest[..count]);
            let record = if kind == DATA {
                Record::Data {
                    chunk,
                    version,
                    offset,
                    bytes,
                }
            } else {
                Record::KeptData {
                    chunk,
                    version,
                    offset,
                    bytes,
                }
            };
            Ok((record, RECORD_HEADER_BYTES + padded))
        }
        REMOVE_FILE => bare(Record::RemoveFile { inode, version }),
        CUT => bare(Record::Cut {
            chunk,
            length: argument,
            version,
        }),
        REMOVE_CHUNK => bare(Record::RemoveChunk { chunk, version }),
        kind => Err(RecordError::UnknownKind(kind)),
    }
}

fn decode_extents(bytes: &[u8], count: usize, length: u32) -> Result<Vec<Extent>, RecordError> {
    // The count is checked against what is there before memory is taken for it.
    let (records, _) = bytes.as_chunks::<{ Extent::BYTES }>();
    let records = records.get(..count).ok_or(RecordError::TooLong)?;
    let mut extents = Vec::with_capacity(count);
    let mut end = 0;
    for record in records {
        let extent = Extent::decode(record).ok_or(RecordError::OutOfRange("extent"))?;
        if extent.chunk_block() < end || extent.chunk_block_end() > blocks_of(length) {
            return Err(RecordError::OutOfRange("extent position"));
        }
        end = extent.chunk_block_end();
        extents.push(extent);
    }
    Ok(extents)
}
