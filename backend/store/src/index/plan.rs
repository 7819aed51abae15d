//! What a flush of one chunk writes: pure functions from extents and pieces to a plan, and from the plan
//! to the bytes.
//!
//! The chunk is looked at in windows of 16 blocks, which no extent crosses. In each window with new bytes,
//! the touched blocks are written. When a window would be left in more than 8 parts, or with more than 8
//! dead blocks in its parents, it is written as a whole: so reads stay few, a chunk's record
//! stays small, and space is never more than half dead.
//!
//! A block that pieces cover in part is completed with its old bytes. Where these are known to be damaged, the block is
//! not written: the pieces stay in memory, and the old extent stays what the chunk has beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Piece;
use super::chunk::{extent_at, merge_extents};
use crate::allocator::Run;
use crate::format::{BLOCK_BYTES, EXTENT_BLOCKS_MAX, Extent, ExtentParts};

const WINDOW: u32 = EXTENT_BLOCKS_MAX;
const BLOCK: u32 = BLOCK_BYTES as u32;

/// Parts of a window at most.
const WINDOW_PARTS_MAX: usize = 8;
/// Blocks in parents of a window that no part shows, at most.
const WINDOW_DEAD_BLOCKS_MAX: u32 = 8;

/// What to write.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FlushPlan {
    /// Blocks of the chunk to write; ascending, none crosses a window.
    pub(crate) ranges: Vec<Range<u32>>,
    /// Extents that must be read first, to complete blocks.
    pub(crate) reads: Vec<Extent>,
    /// Blocks to write that must be completed with their old bytes; ascending.
    pub(crate) completed: Vec<u32>,
    /// Blocks that pieces touch and that cannot be completed; ascending.
    pub(crate) kept: Vec<u32>,
}

impl FlushPlan {
    /// Blocks to allocate.
    pub(crate) fn blocks(&self) -> u32 {
        self.ranges
            .iter()
            .map(|range| range.end - range.start)
            .sum()
    }
}

/// Plans the flush of `pieces` (sorted, without overlap) over `extents`, for a chunk of `length` bytes. With
/// `tidy`, fragmented windows are written as a whole, which takes more space for a moment. Parents whose addresses are
/// in `damaged` are not read.
pub(crate) fn plan_flush(
    extents: &[Extent],
    pieces: &[(u32, Piece)],
    length: u32,
    tidy: bool,
    damaged: &BTreeSet<u64>,
) -> FlushPlan {
    let mut plan = FlushPlan::default();
    for (window, covered) in covered_by_window(pieces, length) {
        let first = window * WINDOW;
        let blocks = first..first + WINDOW;
        let from = extents.partition_point(|extent| extent.chunk_block_end() <= first);
        let to = extents.partition_point(|extent| extent.chunk_block() < blocks.end);
        let here = &extents[from..to.max(from)];
        let live = |block: u32| extent_at(here, block).is_some();
        let mut writes: Vec<bool> = covered.iter().map(Option::is_some).collect();
        if tidy && is_fragmented(here, &writes, first) {
            for (index, write) in writes.iter_mut().enumerate() {
                *write |= live(first + index as u32);
            }
        }
        let completes = |index: usize| {
            let start = (first + index as u32) * BLOCK;
            let end = (start + BLOCK).min(length).max(start);
            covered[index].unwrap_or(0) < end - start && live(first + index as u32)
        };
        let mut needed = Vec::new();
        for (block, index) in blocks.clone().zip(0..) {
            if !writes[index] || !completes(index) {
                continue;
            }
            if extent_at(here, block).is_some_and(|old| damaged.contains(&old.address())) {
                writes[index] = false;
                plan.kept.extend(covered[index].map(|_| block));
            } else {
                needed.push(block);
            }
        }
        plan.reads.extend(here.iter().filter(|extent| {
            needed
                .iter()
                .any(|&block| extent.clip(block, block + 1).is_some())
        }));
        plan.completed.extend(needed);
        plan.ranges.extend(runs_of(&writes, first));
    }
    plan
}

/// For each window that pieces touch, and each block of it: bytes before `length` that pieces cover; none if
/// no piece touches the block. (The zeroes of a cut lie beyond the length.)
fn covered_by_window(
    pieces: &[(u32, Piece)],
    length: u32,
) -> BTreeMap<u32, [Option<u32>; WINDOW as usize]> {
    let mut windows: BTreeMap<u32, [Option<u32>; WINDOW as usize]> = BTreeMap::new();
    for (offset, piece) in pieces {
        let end = offset + piece.bytes.len() as u32;
        let mut at = *offset;
        while at < end {
            let block = at / BLOCK;
            let stop = end.min((block + 1) * BLOCK);
            let window = windows.entry(block / WINDOW).or_default();
            let covered = window[(block % WINDOW) as usize].get_or_insert(0);
            *covered += stop.min(length).saturating_sub(at);
            at = stop;
        }
    }
    windows
}

/// Whether the window would be left in too many parts, or with too many dead blocks.
fn is_fragmented(here: &[Extent], writes: &[bool], first: u32) -> bool {
    let new: Vec<Extent> = runs_of(writes, first)
        .map(|range| placeholder(&range))
        .collect();
    let after = merge_extents(here, &new);
    let kept: Vec<Extent> = after
        .iter()
        .filter(|extent| !new.contains(extent))
        .copied()
        .collect();
    let mut parents: Vec<Run> = kept.iter().map(Run::of_parent).collect();
    parents.sort_unstable();
    parents.dedup();
    let held: u32 = parents.iter().map(|run| run.blocks).sum();
    let shown: u32 = kept.iter().map(Extent::blocks).sum();
    after.len() > WINDOW_PARTS_MAX || held - shown > WINDOW_DEAD_BLOCKS_MAX
}

fn placeholder(range: &Range<u32>) -> Extent {
    Extent::new(ExtentParts {
        address: 0xffff_ffff_ffff,
        parent_blocks: range.end - range.start,
        skip: 0,
        blocks: range.end - range.start,
        chunk_block: range.start,
        crc: 0,
    })
}

/// The runs of set flags.
fn runs_of(flags: &[bool], first: u32) -> impl Iterator<Item = Range<u32>> + '_ {
    let mut index = 0;
    std::iter::from_fn(move || {
        let start = index + flags.get(index..)?.iter().position(|&flag| flag)?;
        let after = flags[start..].iter().position(|&flag| !flag);
        index = after.map_or(flags.len(), |after| start + after);
        Some(first + start as u32..first + index as u32)
    })
}

/// Fills `target` with the chunk's blocks from `first_block`: old bytes, then pieces over them, zeros elsewhere.
pub(crate) fn compose(
    target: &mut [u8],
    first_block: u32,
    old: &BTreeMap<u32, bytes::Bytes>,
    pieces: &[(u32, Piece)],
) {
    let start = first_block * BLOCK;
    let end = start + target.len() as u32;
    let from = pieces.partition_point(|(offset, piece)| offset + piece.bytes.len() as u32 <= start);
    let here = pieces[from..]
        .iter()
        .take_while(|(offset, _)| *offset < end);
    let covered: u32 = here
        .clone()
        .map(|(offset, piece)| end.min(offset + piece.bytes.len() as u32) - start.max(*offset))
        .sum();
    if covered < end - start {
        target.fill(0);
        for (block, bytes) in old.range(first_block..end / BLOCK) {
            let at = ((block - first_block) * BLOCK) as usize;
            target[at..at + BLOCK_BYTES].copy_from_slice(bytes);
        }
    }
    for (offset, piece) in here {
        let (from, to) = (
            start.max(*offset),
            end.min(offset + piece.bytes.len() as u32),
        );
        let source = &piece.bytes[(from - offset) as usize..(to - offset) as usize];
        target[(from - start) as usize..(to - start) as usize].copy_from_slice(source);
    }
}
