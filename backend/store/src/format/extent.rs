//! The 16-byte extent record, the same on disk and in memory.

use super::bytes::{put, u16_at, u32_at, u64_at};
use super::{BLOCK_BYTES, EXTENT_BLOCKS_MAX};

const ADDRESS_BITS: u32 = 48;
const ADDRESS_MASK: u64 = (1 << ADDRESS_BITS) - 1;

/// A part of a chunk and where it lies. See the module's byte map.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Extent {
    packed: u64,
    chunk_block: u16,
    reserved: u16,
    crc: u32,
}

const _: () = assert!(size_of::<Extent>() == Extent::BYTES);

/// The fields of an [`Extent`], spelled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtentParts {
    /// First slab block of the parent.
    pub address: u64,
    /// Blocks of the parent: 1 to 16.
    pub parent_blocks: u32,
    /// Blocks of the parent before this part.
    pub skip: u32,
    /// Blocks of this part.
    pub blocks: u32,
    /// First block within the chunk.
    pub chunk_block: u32,
    /// Checksum of the parent's blocks.
    pub crc: u32,
}

impl Extent {
    /// Size of the record.
    pub const BYTES: usize = 16;

    /// Packs the fields.
    ///
    /// # Panics
    /// If a field is out of range: a bug of the caller, who has just written the extent.
    pub fn new(parts: ExtentParts) -> Self {
        assert!(
            parts.address <= ADDRESS_MASK
                && (1..=EXTENT_BLOCKS_MAX).contains(&parts.parent_blocks)
                && parts.blocks >= 1
                && parts.skip + parts.blocks <= parts.parent_blocks
                && parts.chunk_block <= u32::from(u16::MAX),
            "extent out of range: {parts:?}"
        );
        let packed = parts.address
            | u64::from(parts.parent_blocks - 1) << 48
            | u64::from(parts.skip) << 52
            | u64::from(parts.blocks - 1) << 56;
        Self {
            packed,
            chunk_block: parts.chunk_block as u16,
            reserved: 0,
            crc: parts.crc,
        }
    }

    /// Reads a record; none if its part is not within its parent.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let extent = Self {
            packed: u64_at(bytes, 0) & !(0xf << 60),
            chunk_block: u16_at(bytes, 8),
            reserved: 0,
            crc: u32_at(bytes, 12),
        };
        let in_parent = extent.skip() + extent.blocks() <= extent.parent_blocks();
        let in_window = (extent.chunk_block() % EXTENT_BLOCKS_MAX) + extent.blocks();
        (in_parent && in_window <= EXTENT_BLOCKS_MAX).then_some(extent)
    }

    /// The record's bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        put(&mut bytes, 0, &self.packed.to_le_bytes());
        put(&mut bytes, 8, &self.chunk_block.to_le_bytes());
        put(&mut bytes, 12, &self.crc.to_le_bytes());
        bytes
    }

    /// First slab block of the parent.
    pub const fn address(&self) -> u64 {
        self.packed & ADDRESS_MASK
    }

    /// Blocks of the parent.
    pub const fn parent_blocks(&self) -> u32 {
        ((self.packed >> 48) & 0xf) as u32 + 1
    }

    /// Bytes of the parent.
    pub const fn parent_bytes(&self) -> usize {
        self.parent_blocks() as usize * BLOCK_BYTES
    }

    /// Blocks of the parent before this part.
    pub const fn skip(&self) -> u32 {
        ((self.packed >> 52) & 0xf) as u32
    }

    /// Blocks of this part.
    pub const fn blocks(&self) -> u32 {
        ((self.packed >> 56) & 0xf) as u32 + 1
    }

    /// First block within the chunk.
    pub const fn chunk_block(&self) -> u32 {
        self.chunk_block as u32
    }

    /// The block within the chunk after the last.
    pub const fn chunk_block_end(&self) -> u32 {
        self.chunk_block() + self.blocks()
    }

    /// Checksum of the parent's blocks.
    pub const fn crc(&self) -> u32 {
        self.crc
    }

    /// The part of this extent in chunk blocks `from..to`, if any.
    #[must_use]
    pub fn clip(&self, from: u32, to: u32) -> Option<Self> {
        let (start, end) = (from.max(self.chunk_block()), to.min(self.chunk_block_end()));
        (start < end).then(|| {
            Self::new(ExtentParts {
                address: self.address(),
                parent_blocks: self.parent_blocks(),
                skip: self.skip() + (start - self.chunk_block()),
                blocks: end - start,
                chunk_block: start,
                crc: self.crc,
            })
        })
    }
}

impl std::fmt::Debug for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}..{}@{}+{}/{}",
            self.chunk_block(),
            self.chunk_block_end(),
            self.address(),
            self.skip(),
            self.parent_blocks()
        )
    }
}
