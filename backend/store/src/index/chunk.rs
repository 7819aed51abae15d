//! A chunk: what the log says of it, and the newer bytes over that.

use sluice_types::ChunkId;

use super::Overlay;
use crate::allocator::Run;
use crate::format::{BLOCK_BYTES, Extent, RECORD_HEADER_BYTES, Record, blocks_of};

/// A chunk. `version`, `length` and `extents` are what its newest durable chunk state says (as cut
/// since); what was written after that is in the overlay.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) extents: Box<[Extent]>,
    pub(crate) version: u64,
    pub(crate) length: u32,
    /// Sequence of the frame with its newest chunk state; 0: none, the chunk is all overlay.
    pub(crate) home: u64,
    pub(crate) overlay: Option<Box<Overlay>>,
}

impl Chunk {
    /// End of the last byte that a reader sees.
    pub(crate) fn visible_length(&self) -> u32 {
        self.overlay
            .as_ref()
            .map_or(self.length, |overlay| overlay.length)
    }

    /// Version of what a reader sees.
    pub(crate) fn visible_version(&self) -> u64 {
        self.overlay
            .as_ref()
            .map_or(self.version, |overlay| overlay.version)
    }

    /// Whether neither log nor memory holds anything of it.
    pub(crate) fn is_nothing(&self) -> bool {
        self.home == 0 && self.overlay.is_none()
    }

    /// Its overlay; a new one starts from what is durable.
    pub(crate) fn overlay_mut(&mut self) -> &mut Overlay {
        let (version, length) = (self.version, self.length);
        self.overlay
            .get_or_insert_with(|| Box::new(Overlay::new(version, length)))
    }

    /// Whether the log holds data or a cut of it beside its chunk state.
    pub(crate) fn is_journaled(&self) -> bool {
        let overlay = self.overlay.as_ref();
        overlay.is_some_and(|overlay| overlay.journal_from.is_some())
    }

    /// Bytes that its chunk state takes in the log.
    pub(crate) fn record_bytes(&self) -> u64 {
        if self.home == 0 {
            return 0;
        }
        (RECORD_HEADER_BYTES + self.extents.len() * Extent::BYTES) as u64
    }

    /// Its durable state, to be written to the log again.
    pub(crate) fn state_record(&self, chunk: ChunkId) -> Record<'static> {
        Record::ChunkState {
            chunk,
            version: self.version,
            length: self.length,
            extents: self.extents.to_vec(),
        }
    }

    /// Bytes that the file is charged for: blocks in slabs, and blocks that are in memory only.
    pub(crate) fn allocated_bytes(&self) -> u64 {
        let unwritten = self.overlay.as_ref().map_or(0, |overlay| {
            overlay
                .touched_blocks()
                .filter(|&block| extent_at(&self.extents, block).is_none())
                .count() as u64
        });
        (live_blocks(&self.extents) + unwritten) * BLOCK_BYTES as u64
    }
}

/// The extent that holds a block of the chunk.
pub(crate) fn extent_at(extents: &[Extent], block: u32) -> Option<&Extent> {
    let after = extents.partition_point(|extent| extent.chunk_block_end() <= block);
    extents
        .get(after)
        .filter(|extent| extent.chunk_block() <= block)
}

/// Blocks of the chunk that are in slabs.
pub(crate) fn live_blocks(extents: &[Extent]) -> u64 {
    extents
        .iter()
        .map(|extent| u64::from(extent.blocks()))
        .sum()
}

/// `old` with `new` (sorted, without overlap) over it.
pub(crate) fn merge_extents(old: &[Extent], new: &[Extent]) -> Box<[Extent]> {
    let mut merged = Vec::with_capacity(old.len() + new.len());
    for extent in old {
        let mut from = extent.chunk_block();
        let first = new.partition_point(|new| new.chunk_block_end() <= from);
        for new in &new[first..] {
            if new.chunk_block() >= extent.chunk_block_end() {
                break;
            }
            merged.extend(extent.clip(from, new.chunk_block()));
            from = new.chunk_block_end();
        }
        merged.extend(extent.clip(from, extent.chunk_block_end()));
    }
    merged.extend_from_slice(new);
    merged.sort_unstable_by_key(Extent::chunk_block);
    merged.into_boxed_slice()
}

/// What of the extents lies before `length` bytes, in whole blocks.
pub(crate) fn cut_extents(extents: &[Extent], length: u32) -> Box<[Extent]> {
    let blocks = blocks_of(length);
    extents
        .iter()
        .filter_map(|extent| extent.clip(0, blocks))
        .collect()
}

/// The parents of `old` of which nothing is left in `new`.
pub(crate) fn freed_runs(old: &[Extent], new: &[Extent]) -> Vec<Run> {
    let parents = |extents: &[Extent]| {
        let mut runs: Vec<Run> = extents.iter().map(Run::of_parent).collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    };
    let kept = parents(new);
    let mut freed = parents(old);
    freed.retain(|run| kept.binary_search(run).is_err());
    freed
}
