//! Replaying the log into an index. See "Replay" in the format's description.

use std::collections::BTreeSet;

use bytes::Bytes;
use sluice_types::{ChunkId, ChunkIndex, Clock, InodeId};

use super::background::FlushQueue;
use crate::StoreError;
use crate::allocator::{Allocator, Run};
use crate::budget::Budget;
use crate::format::{Extent, Record};
use crate::index::{Chunk, Index, NewPiece, Piece, Shard, cut_extents, live_blocks};
use crate::ops::cut_chunk;

/// The index as it comes out of the log.
pub(super) struct Replay {
    pub(super) index: Index,
    pub(super) version_max: u64,
}

impl Replay {
    pub(super) fn new() -> Self {
        Self {
            index: Index::new(),
            version_max: 0,
        }
    }

    /// Applies one record of the frame with that sequence.
    pub(super) fn apply(&mut self, sequence: u64, record: Record<'_>) {
        match record {
            Record::ChunkState {
                chunk,
                version,
                length,
                extents,
            } => self.apply_state(sequence, chunk, version, length, extents),
            Record::Data {
                chunk,
                version,
                offset,
                bytes,
            } => {
                self.apply_data(sequence, chunk, version, offset, bytes);
            }
            Record::KeptData {
                chunk,
                version,
                offset,
                bytes,
            } => self.apply_kept_data(sequence, chunk, version, offset, bytes),
            Record::RemoveFile { inode, version } => {
                self.see(version);
                let mut shard = self.index.shard(inode);
                let index = ChunkIndex::new(0);
                remove_from(&mut shard, ChunkId { inode, index });
                shard.note_removed(inode);
            }
            Record::Cut {
                chunk,
                length,
                version,
            } => self.apply_cut(sequence, chunk, length, version),
            Record::RemoveChunk { chunk, version } => {
                self.see(version);
                self.index.shard(chunk.inode).chunks.remove(&chunk);
            }
        }
    }

    fn see(&mut self, version: u64) {
        self.version_max = self.version_max.max(version);
    }

    fn apply_state(
        &mut self,
        sequence: u64,
        chunk: ChunkId,
        version: u64,
        length: u32,
        extents: Vec<Extent>,
    ) {
        self.see(version);
        let mut shard = self.index.shard(chunk.inode);
        let known = shard.chunks.entry(chunk).or_default();
        if known.home != 0 && known.version > version {
            return;
        }
        (known.version, known.length, known.home) = (version, length, sequence);
        known.extents = extents.into_boxed_slice();
        if let Some(overlay) = &mut known.overlay {
            overlay.drop_through(version);
            overlay.length = overlay.length.max(length);
            if overlay.is_empty() {
                known.overlay = None;
            }
        }
    }

    fn apply_kept_data(
        &mut self,
        sequence: u64,
        chunk: ChunkId,
        version: u64,
        offset: u32,
        bytes: &[u8],
    ) {
        let length = {
            let shard = self.index.shard(chunk.inode);
            shard.chunks.get(&chunk).map_or(0, Chunk::visible_length)
        };
        self.apply_data(sequence, chunk, version, offset, bytes);
        let mut shard = self.index.shard(chunk.inode);
        let known = shard.chunks.get_mut(&chunk);
        if let Some(overlay) = known.and_then(|known| known.overlay.as_mut()) {
            overlay.length = length;
        }
    }

    fn apply_data(
        &mut self,
        sequence: u64,
        chunk: ChunkId,
        version: u64,
        offset: u32,
        bytes: &[u8],
    ) {
        self.see(version);
        let mut shard = self.index.shard(chunk.inode);
        let known = shard.chunks.entry(chunk).or_default();
        if known.home != 0 && known.version >= version {
            return;
        }
        let overlay = known.overlay_mut();
        let piece = Piece::new(Bytes::copy_from_slice(bytes), version, true);
        overlay.insert(NewPiece { offset, piece });
        overlay.note_journaled(sequence);
    }

    fn apply_cut(&mut self, sequence: u64, chunk: ChunkId, length: u32, version: u64) {
        // The zeroes of a cut have the version after the cut's own.
        self.see(version + 1);
        let mut shard = self.index.shard(chunk.inode);
        if length == 0 {
            remove_from(&mut shard, chunk);
            return;
        }
        if let Some(next) = chunk.index.raw().checked_add(1) {
            let index = ChunkIndex::new(next);
            remove_from(&mut shard, ChunkId { index, ..chunk });
        }
        if let Some(known) = shard.chunks.get_mut(&chunk) {
            known.extents = cut_extents(&known.extents, length);
            cut_chunk(known, length, version, sequence);
            if known.is_nothing() {
                shard.chunks.remove(&chunk);
            }
        }
    }

    /// Claims the blocks of all chunks, and counts what they hold. Gives the size of all chunk records and
    /// the files with journaled data.
    pub(super) fn settle(
        &self,
        allocator: &Allocator,
        budget: &Budget,
        clock: &dyn Clock,
    ) -> Result<(u64, FlushQueue), StoreError> {
        let mut record_bytes = 0;
        let mut queue = FlushQueue::default();
        for mut shard in self.index.shards() {
            let mut live: Vec<(InodeId, u64)> = Vec::new();
            let mut overlaid: Vec<ChunkId> = Vec::new();
            for (&id, chunk) in &mut shard.chunks {
                record_bytes += chunk.record_bytes();
                live.push((id.inode, live_blocks(&chunk.extents)));
                let parents: BTreeSet<Run> = chunk.extents.iter().map(Run::of_parent).collect();
                for run in parents {
                    allocator.claim(run)?;
                }
                if let Some(overlay) = &mut chunk.overlay {
                    overlaid.push(id);
                    budget.add(overlay.bytes());
                    overlay.recount_reserved();
                    allocator.reserve_always(overlay.reserved_blocks);
                }
            }
            for (inode, blocks) in live {
                shard.charge(inode, blocks as i64);
            }
            for chunk in overlaid {
                if shard.note_overlaid(chunk) {
                    queue.push(chunk.inode, clock.monotonic());
                }
            }
        }
        Ok((record_bytes, queue))
    }
}

/// Removes the file's chunks from that one on.
fn remove_from(shard: &mut Shard, first: ChunkId) {
    let ids: Vec<ChunkId> = shard
        .chunks_of(first.inode, first.index)
        .map(|(id, _)| id)
        .collect();
    for id in ids {
        shard.chunks.remove(&id);
    }
}
