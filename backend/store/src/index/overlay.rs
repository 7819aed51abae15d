//! Bytes of a chunk that are not in slabs yet.
//!
//! Pieces do not overlap; a later write replaces earlier bytes. A piece is *dirty* (in memory only) or
//! *journaled* (also in the log, or on its way there). Reading sees both alike.
//!
//! For every block touched by a piece one slab block is reserved. A flush takes a snapshot: pieces up to
//! `flush_floor` then have their blocks allocated, and only newer pieces count as reserved.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use bytes::Bytes;

use crate::format::{BLOCK_BYTES, data_record_bytes};

/// Bytes at a place in the chunk.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Bytes,
    pub(crate) version: u64,
    pub(crate) journaled: bool,
    /// Bytes of memory that `bytes`, a part of a write perhaps, keeps from being freed.
    kept_bytes: usize,
}

/// How many times its own size a rest of a write may keep in memory; else it is copied. So the memory of all
/// pieces is at most this many times what the budget counts.
const KEPT_FACTOR_MAX: usize = 4;

impl Piece {
    pub(crate) fn new(bytes: Bytes, version: u64, journaled: bool) -> Self {
        let kept_bytes = bytes.len();
        Self {
            bytes,
            version,
            journaled,
            kept_bytes,
        }
    }

    /// A part of the piece.
    fn part(&self, range: impl RangeBounds<usize>) -> Self {
        let bytes = self.bytes.slice(range);
        if bytes.len() * KEPT_FACTOR_MAX < self.kept_bytes {
            let copy = Bytes::copy_from_slice(&bytes);
            return Self::new(copy, self.version, self.journaled);
        }
        Self {
            bytes,
            ..self.clone()
        }
    }
}

/// Bytes to put in.
#[derive(Clone, Debug)]
pub(crate) struct NewPiece {
    pub(crate) offset: u32,
    pub(crate) piece: Piece,
}

#[derive(Debug)]
pub(crate) struct Overlay {
    /// By offset; none is empty.
    pieces: BTreeMap<u32, Piece>,
    /// Newest version that a reader sees.
    pub(crate) version: u64,
    /// End of the last byte that a reader sees.
    pub(crate) length: u32,
    /// Version of the snapshot that a running flush took; 0: none runs.
    pub(crate) flush_floor: u64,
    /// Blocks reserved for pieces newer than `flush_floor`.
    pub(crate) reserved_blocks: u64,
    /// Sequence of the oldest frame with data of this chunk that no chunk state covers.
    pub(crate) journal_from: Option<u64>,
    /// The same, counting only what was written since the running flush's snapshot.
    pub(crate) journal_from_since_snapshot: Option<u64>,
    /// Bytes of the log that the last flush needed for what it left, see [`Overlay::keep`].
    pub(crate) kept_bytes: u64,
}

const BLOCK: u32 = BLOCK_BYTES as u32;

impl Overlay {
    pub(super) fn new(version: u64, length: u32) -> Self {
        Self {
            pieces: BTreeMap::new(),
            version,
            length,
            flush_floor: 0,
            reserved_blocks: 0,
            journal_from: None,
            journal_from_since_snapshot: None,
            kept_bytes: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u32, &Piece)> {
        self.pieces.iter().map(|(&offset, piece)| (offset, piece))
    }

    /// Bytes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.pieces.values().map(|piece| piece.bytes.len()).sum()
    }

    /// Bytes in memory only.
    pub(crate) fn dirty_bytes(&self) -> usize {
        let dirty = self.pieces.values().filter(|piece| !piece.journaled);
        dirty.map(|piece| piece.bytes.len()).sum()
    }

    /// Pieces that touch `start..end`, in order.
    pub(crate) fn overlapping(&self, start: u32, end: u32) -> impl Iterator<Item = (u32, &Piece)> {
        let before = self.pieces.range(..start).next_back();
        let before = before.filter(|(offset, piece)| *offset + piece.bytes.len() as u32 > start);
        before
            .into_iter()
            .chain(self.pieces.range(start..end.max(start)))
            .map(|(&offset, piece)| (offset, piece))
    }

    /// Blocks touched by pieces, ascending.
    pub(crate) fn touched_blocks(&self) -> impl Iterator<Item = u32> {
        touched(self.pieces())
    }

    /// Blocks that `start..end` touches.
    pub(crate) fn blocks_of_range(start: u32, end: u32) -> u64 {
        u64::from(end.div_ceil(BLOCK) - start / BLOCK)
    }

    /// How many more blocks must be reserved before `start..end` is written.
    pub(crate) fn blocks_to_reserve(&self, start: u32, end: u32) -> u64 {
        let (first, after) = (start / BLOCK, end.div_ceil(BLOCK));
        let reserved = self
            .overlapping(first * BLOCK, after * BLOCK)
            .filter(|(_, piece)| piece.version > self.flush_floor);
        let reserved = touched(reserved)
            .filter(|block| (first..after).contains(block))
            .count();
        u64::from(after - first) - reserved as u64
    }

    /// Puts bytes in, over what is there; gives the number of bytes that were replaced.
    pub(crate) fn insert(&mut self, new: NewPiece) -> usize {
        let end = new.offset + new.piece.bytes.len() as u32;
        let replaced = self.carve(new.offset, end);
        self.version = self.version.max(new.piece.version);
        self.length = self.length.max(end);
        self.pieces.insert(new.offset, new.piece);
        replaced
    }

    /// Removes all bytes in `start..end`; gives their number.
    pub(crate) fn carve(&mut self, start: u32, end: u32) -> usize {
        let mut removed = 0;
        let touching: Vec<u32> = self
            .overlapping(start, end)
            .map(|(offset, _)| offset)
            .collect();
        for offset in touching {
            let Some(piece) = self.pieces.remove(&offset) else {
                continue;
            };
            let piece_end = offset + piece.bytes.len() as u32;
            removed += (piece_end.min(end) - offset.max(start)) as usize;
            if offset < start {
                let head = piece.part(..(start - offset) as usize);
                self.pieces.insert(offset, head);
            }
            if piece_end > end {
                let tail = piece.part((end - offset) as usize..);
                self.pieces.insert(end, tail);
            }
        }
        removed
    }

    /// Drops pieces up to a version; gives the number of their bytes.
    pub(crate) fn drop_through(&mut self, version: u64) -> usize {
        let before = self.bytes();
        self.pieces.retain(|_, piece| piece.version > version);
        before - self.bytes()
    }

    /// Counts again what should be reserved, and gives the change.
    pub(crate) fn recount_reserved(&mut self) -> i64 {
        let floor = self.flush_floor;
        let newer = self.pieces().filter(|(_, piece)| piece.version > floor);
        let count = touched(newer).count() as u64;
        let change = count as i64 - self.reserved_blocks as i64;
        self.reserved_blocks = count;
        change
    }

    /// Remembers that the frame has data of this chunk.
    pub(crate) fn note_journaled(&mut self, sequence: u64) {
        self.journal_from.get_or_insert(sequence);
        self.journal_from_since_snapshot.get_or_insert(sequence);
    }

    /// Keeps a block's pieces from the flush that begins: `append` puts them into the log once more, with new versions, so
    /// that the chunk state which the flush makes does not cover them. What it gets lies before the length, or beyond it.
    pub(crate) fn keep(
        &mut self,
        block: u32,
        mut next_version: impl FnMut() -> u64,
        mut append: impl FnMut(u32, &Piece),
    ) {
        let (start, end) = (block * BLOCK, (block + 1) * BLOCK);
        let length = self.length;
        let visible_end = length.clamp(start, end);
        let mut parts = self.parts(start, visible_end);
        parts.extend(self.parts(visible_end, end));
        for (offset, part) in parts {
            let piece = Piece {
                version: next_version(),
                journaled: true,
                ..part
            };
            append(offset, &piece);
            self.kept_bytes += data_record_bytes(piece.bytes.len());
            self.insert(NewPiece { offset, piece });
        }
        // The zeroes of a cut may lie beyond it.
        self.length = length;
    }

    /// What lies in `start..end`, none empty.
    fn parts(&self, start: u32, end: u32) -> Vec<(u32, Piece)> {
        let part = |(offset, piece): (u32, &Piece)| {
            let from = offset.max(start);
            let to = end.min(offset + piece.bytes.len() as u32);
            let range = (from - offset) as usize..(to.max(from) - offset) as usize;
            (from, piece.part(range))
        };
        let parts = self.overlapping(start, end).map(part);
        parts.filter(|(_, part)| !part.bytes.is_empty()).collect()
    }

    /// Marks dirty pieces as journaled, as `append` puts each into the log, each with a new version: replay takes a
    /// record for news only if its version is above those before it, a cut's among them.
    pub(crate) fn journal_all(
        &mut self,
        mut next_version: impl FnMut() -> u64,
        mut append: impl FnMut(u32, &Piece),
    ) {
        for (&offset, piece) in &mut self.pieces {
            if !piece.journaled {
                piece.version = next_version();
                self.version = self.version.max(piece.version);
                append(offset, piece);
                piece.journaled = true;
            }
        }
    }
}

/// Blocks touched by pieces in order, each once.
fn touched<'a>(pieces: impl Iterator<Item = (u32, &'a Piece)>) -> impl Iterator<Item = u32> {
    let mut next = 0;
    pieces.flat_map(move |(offset, piece)| {
        let first = (offset / BLOCK).max(next);
        let after = (offset + piece.bytes.len() as u32).div_ceil(BLOCK);
        next = after.max(next);
        first..after
    })
}
