//! Where a file's bytes lie: chunk arithmetic and the mapping of chunks to placement groups.

use crate::{ChunkIndex, FsError, GroupId};

/// The largest size of a file, in bytes: 2^32 chunks of the smallest size, less one byte, so that the end of every
/// file lies in a chunk with a number; well within a signed 64-bit offset.
pub const FILE_SIZE_MAX: u64 = ((ChunkSize::MIN_BYTES as u64) << 32) - 1;

const _: () = assert!(FILE_SIZE_MAX / ChunkSize::MIN_BYTES as u64 <= u32::MAX as u64);

/// Size of a chunk: a power of two from 64 KiB to 64 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkSize(u32);

impl ChunkSize {
    /// The smallest chunk, in bytes.
    pub const MIN_BYTES: u32 = 64 * 1024;
    /// The largest chunk, in bytes.
    pub const MAX_BYTES: u32 = 64 * 1024 * 1024;
    /// What files have unless their directory says otherwise: 1 MiB.
    pub const DEFAULT: Self = Self(1024 * 1024);

    /// A chunk size in bytes.
    ///
    /// # Errors
    /// [`FsError::Invalid`] unless a power of two from 64 KiB to 64 MiB.
    pub fn new(bytes: u32) -> Result<Self, FsError> {
        let fits = (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes);
        if fits && bytes.is_power_of_two() {
            Ok(Self(bytes))
        } else {
            Err(FsError::Invalid)
        }
    }

    /// In bytes.
    pub const fn bytes(self) -> u32 {
        self.0
    }
}

/// Over how many placement groups a file is spread: 1 to 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StripeWidth(u16);

impl StripeWidth {
    /// What files have unless their directory says otherwise.
    pub const DEFAULT: Self = Self(16);

    /// A stripe width.
    ///
    /// # Errors
    /// [`FsError::Invalid`] unless 1 to 1024.
    pub fn new(groups: u32) -> Result<Self, FsError> {
        match u16::try_from(groups) {
            Ok(groups @ 1..=1024) => Ok(Self(groups)),
            _ => Err(FsError::Invalid),
        }
    }

    /// The number of groups.
    pub const fn groups(self) -> u32 {
        self.0 as u32
    }
}

/// How many copies there are of each chunk: 1 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaCount(u8);

impl ReplicaCount {
    /// One copy.
    pub const ONE: Self = Self(1);

    /// A number of copies.
    ///
    /// # Errors
    /// [`FsError::Invalid`] unless 1 to 3.
    pub fn new(copies: u32) -> Result<Self, FsError> {
        match u8::try_from(copies) {
            Ok(copies @ 1..=3) => Ok(Self(copies)),
            _ => Err(FsError::Invalid),
        }
    }

    /// The number of copies.
    pub const fn copies(self) -> u32 {
        self.0 as u32
    }
}

/// Where a file's chunks lie: chunk `i` is on group `(seed + i mod width) mod groups`, where
/// `groups` is the cluster's fixed number of placement groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Size of a chunk.
    pub chunk_size: ChunkSize,
    /// Over how many groups the file is spread.
    pub stripe_width: StripeWidth,
    /// Copies of each chunk.
    pub replicas: ReplicaCount,
    /// The group of chunk 0, modulo the number of groups; random for each file, so that small
    /// files spread too.
    pub placement_seed: u32,
}

impl Layout {
    /// What the root directory starts with.
    pub const DEFAULT: Self = Self {
        chunk_size: ChunkSize::DEFAULT,
        stripe_width: StripeWidth::DEFAULT,
        replicas: ReplicaCount::ONE,
        placement_seed: 0,
    };

    /// The group of chunk `index` in a cluster of `group_count` groups (at least 1).
    pub fn group_of(&self, index: ChunkIndex, group_count: usize) -> GroupId {
        debug_assert!(group_count > 0, "a cluster has at least one group");
        let in_stripe = index.raw() % self.stripe_width.groups();
        let group = u64::from(self.placement_seed) + u64::from(in_stripe);
        // The remainder is below the number of groups, which is a u32 in every cluster map.
        GroupId::new((group % group_count.max(1) as u64) as u32)
    }

    /// All groups that chunks of the file can be on, each at most once per stripe position.
    pub fn groups(&self, group_count: usize) -> impl Iterator<Item = GroupId> + '_ {
        let width = self.stripe_width.groups().min(group_count as u32);
        (0..width).map(move |index| self.group_of(ChunkIndex::new(index), group_count))
    }

    /// The chunk that holds byte `offset`, and the offset in it.
    ///
    /// # Errors
    /// [`FsError::FileTooLarge`] beyond [`FILE_SIZE_MAX`].
    pub fn locate(&self, offset: u64) -> Result<(ChunkIndex, u32), FsError> {
        if offset > FILE_SIZE_MAX {
            return Err(FsError::FileTooLarge);
        }
        let size = u64::from(self.chunk_size.bytes());
        let index = u32::try_from(offset / size).map_err(|_| FsError::FileTooLarge)?;
        Ok((ChunkIndex::new(index), (offset % size) as u32))
    }

    /// Cuts a range of the file at chunk borders.
    pub fn pieces(&self, range: ByteRange) -> impl Iterator<Item = Piece> + use<> {
        let size = u64::from(self.chunk_size.bytes());
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let (index, start) = (at / size, (at % size) as u32);
            let length = (size - u64::from(start)).min(range.end - at) as u32;
            let piece = Piece {
                chunk: ChunkIndex::new(index as u32),
                range: ChunkRange { start, length },
                offset_in_range: (at - range.start) as usize,
            };
            at += u64::from(length);
            Some(piece)
        })
    }
}

/// A range of a file, in bytes: `start <= end <= FILE_SIZE_MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    start: u64,
    end: u64,
}

impl ByteRange {
    /// `length` bytes from `start`.
    ///
    /// # Errors
    /// [`FsError::FileTooLarge`] if it ends beyond [`FILE_SIZE_MAX`].
    pub fn new(start: u64, length: u64) -> Result<Self, FsError> {
        match start.checked_add(length) {
            Some(end) if end <= FILE_SIZE_MAX => Ok(Self { start, end }),
            _ => Err(FsError::FileTooLarge),
        }
    }

    /// First byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The byte after the last.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// Length in bytes.
    pub const fn length(self) -> u64 {
        self.end - self.start
    }

    /// Whether there is no byte in it.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The part before `end`.
    #[must_use]
    pub fn clip(self, end: u64) -> Self {
        let end = self.end.min(end);
        Self {
            start: self.start.min(end),
            end,
        }
    }
}

/// A range within a chunk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChunkRange {
    /// First byte, within the chunk.
    pub start: u32,
    /// Length in bytes.
    pub length: u32,
}

impl ChunkRange {
    /// The byte after the last. At most 2^27 in any chunk, so it cannot overflow.
    pub const fn end(self) -> u32 {
        self.start.saturating_add(self.length)
    }
}

/// The part of a file's range that lies in one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The chunk.
    pub chunk: ChunkIndex,
    /// The bytes of it.
    pub range: ChunkRange,
    /// Where these bytes start in the range that was cut.
    pub offset_in_range: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_range_once_in_order() {
        let layout = Layout {
            chunk_size: ChunkSize::new(65_536).unwrap(),
            ..Layout::DEFAULT
        };
        for (start, length) in [
            (0, 0),
            (0, 1),
            (65_535, 2),
            (1000, 300_000),
            (65_536, 65_536),
        ] {
            let range = ByteRange::new(start, length).unwrap();
            let mut at = start;
            for piece in layout.pieces(range) {
                let base = u64::from(piece.chunk.raw()) * 65_536;
                assert_eq!(base + u64::from(piece.range.start), at);
                assert_eq!(piece.offset_in_range as u64, at - start);
                assert!(piece.range.length > 0 && piece.range.end() <= 65_536);
                at += u64::from(piece.range.length);
            }
            assert_eq!(at, start + length);
        }
    }

    #[test]
    fn successive_chunks_take_successive_groups_within_the_width() {
        let layout = Layout {
            stripe_width: StripeWidth::new(4).unwrap(),
            placement_seed: 6,
            ..Layout::DEFAULT
        };
        let groups: Vec<u32> = (0..8)
            .map(|index| layout.group_of(ChunkIndex::new(index), 8).raw())
            .collect();
        assert_eq!(groups, [6, 7, 0, 1, 6, 7, 0, 1]);
        assert_eq!(layout.groups(8).count(), 4);
        assert_eq!(layout.groups(3).count(), 3);
    }

    #[test]
    fn the_largest_file_is_addressable_with_the_smallest_chunks() {
        let layout = Layout {
            chunk_size: ChunkSize::new(ChunkSize::MIN_BYTES).unwrap(),
            ..Layout::DEFAULT
        };
        let last = ChunkIndex::new(u32::MAX);
        let located = layout.locate(FILE_SIZE_MAX).unwrap();
        assert_eq!(located, (last, ChunkSize::MIN_BYTES - 1));
        assert!(layout.locate(FILE_SIZE_MAX + 1).is_err());
        assert!(ByteRange::new(FILE_SIZE_MAX, 1).is_err());
        assert!(ByteRange::new(u64::MAX, 1).is_err());
    }
}
