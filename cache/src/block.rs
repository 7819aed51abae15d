//! The unit of caching: a block of a file at a version.
//!
//! 64 KiB, because storage verifies data in extents of that size: a smaller block would not be read any cheaper, and
//! a larger one would make a random read of 4 KiB fetch more than storage had to read. Sequential readers lose
//! nothing: neighbouring misses are fetched as one range, and a range is put together from blocks without copying.

use std::io::{Read, Write};

use bytes::Bytes;
use foyer::{Code, Error, ErrorKind};
use sluice_types::{DataVersion, InodeId};

/// Size of a block in bytes; the last block of a file may be shorter.
pub const BLOCK_BYTES: u32 = 64 * 1024;

/// What a cached block costs in memory beside its bytes: key, links, counters, allocator.
pub(crate) const BLOCK_OVERHEAD_BYTES: usize = 256;

/// A file at a version: bytes that never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileVersion {
    /// The file.
    pub inode: InodeId,
    /// The version of its data.
    pub version: DataVersion,
}

/// A block's position in its file: block `i` holds bytes from `i * BLOCK_BYTES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockIndex(u64);

impl BlockIndex {
    /// Block number `index`.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The block that holds byte `offset`.
    pub const fn of(offset: u64) -> Self {
        Self(offset / BLOCK_BYTES as u64)
    }

    /// The number.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Its first byte's offset in the file.
    pub const fn offset(self) -> u64 {
        self.0 * BLOCK_BYTES as u64
    }
}

/// Names bytes that never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockKey {
    /// The file and its version.
    pub file: FileVersion,
    /// Which block of it.
    pub block: BlockIndex,
}

/// Bytes of an encoded key: inode, version, block.
const KEY_BYTES: usize = 24;

impl Code for BlockKey {
    fn encode(&self, writer: &mut impl Write) -> foyer::Result<()> {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&self.file.inode.raw().to_le_bytes());
        bytes[8..16].copy_from_slice(&self.file.version.raw().to_le_bytes());
        bytes[16..].copy_from_slice(&self.block.raw().to_le_bytes());
        writer.write_all(&bytes).map_err(Error::io_error)
    }

    fn decode(reader: &mut impl Read) -> foyer::Result<Self> {
        let inode = InodeId::new(read_u64(reader)?);
        let inode = inode.ok_or_else(|| Error::new(ErrorKind::Parse, "inode zero"))?;
        let version = DataVersion::new(read_u64(reader)?);
        let block = BlockIndex::new(read_u64(reader)?);
        let file = FileVersion { inode, version };
        Ok(Self { file, block })
    }

    fn estimated_size(&self) -> usize {
        KEY_BYTES
    }
}

fn read_u64(reader: &mut impl Read) -> foyer::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes).map_err(Error::io_error)?;
    Ok(u64::from_le_bytes(bytes))
}

/// A block's bytes: at most [`BLOCK_BYTES`], in an allocation of their own, so that the budget counts
/// what is really held and no I/O buffer is kept from its pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block(pub(crate) Bytes);

impl Block {
    /// What the block counts against the memory budget.
    pub(crate) fn weight(&self) -> usize {
        self.0.len() + BLOCK_OVERHEAD_BYTES
    }
}

impl Code for Block {
    fn encode(&self, writer: &mut impl Write) -> foyer::Result<()> {
        let length = self.0.len() as u64;
        writer
            .write_all(&length.to_le_bytes())
            .map_err(Error::io_error)?;
        writer.write_all(&self.0).map_err(Error::io_error)
    }

    fn decode(reader: &mut impl Read) -> foyer::Result<Self> {
        let length = read_u64(reader)?;
        if length > u64::from(BLOCK_BYTES) {
            let error = Error::new(ErrorKind::Parse, "a block longer than any");
            return Err(error.with_context("length", length));
        }
        let mut bytes = vec![0; length as usize];
        reader.read_exact(&mut bytes).map_err(Error::io_error)?;
        Ok(Self(Bytes::from(bytes)))
    }

    fn estimated_size(&self) -> usize {
        8 + self.0.len()
    }
}
