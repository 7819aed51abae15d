//! Truncating: later chunks go, one chunk is cut.
//!
//! A cut in the middle of a block zeroes the rest of the block, because the chunk may grow again: as a
//! piece in memory, whose durable home is the cut's own log record.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use sluice_types::{ChunkId, ChunkIndex, ChunkSize, InodeId};

use crate::allocator::Run;
use crate::format::{BLOCK_BYTES, Extent, Record};
use crate::index::{Chunk, NewPiece, Piece, Shard, cut_extents, freed_runs, live_blocks};
use crate::{Store, StoreError};

static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];

/// What dropping or cutting chunks gives back.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) runs: Vec<Run>,
    pub(super) memory_bytes: usize,
}

impl Store {
    /// Drops all chunks of the file after `last`, and all bytes of `last` from `length` on; with length 0 also
    /// the chunk itself. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] while there is no room in the log, nor was for 10 s, with nothing changed;
    /// [`StoreError::Device`], [`StoreError::Failed`]; [`StoreError::Invalid`] beyond the largest chunk.
    pub async fn truncate(
        self: &Arc<Self>,
        inode: InodeId,
        last: ChunkIndex,
        length: u32,
    ) -> Result<(), StoreError> {
        if length > ChunkSize::MAX_BYTES {
            return Err(StoreError::Invalid("length beyond the largest chunk"));
        }
        self.failure.check()?;
        self.log.check_room()?;
        let cut = move |store: Arc<Self>| async move {
            let chunk = ChunkId { inode, index: last };
            let Some((dropped, sequence)) = store.cut_in_memory(chunk, length) else {
                // Nothing is there to cut; but what cut it may not be durable yet.
                return store.log.barrier().await;
            };
            store.log.durable(sequence).await?;
            store.give_back(inode, dropped.runs);
            Ok(())
        };
        let result = self.with_file(inode, cut).await;
        self.counted(result)
    }

    /// The memory part; none if nothing changes.
    fn cut_in_memory(&self, chunk: ChunkId, length: u32) -> Option<(Dropped, u64)> {
        let mut shard = self.index.shard(chunk.inode);
        let (_, end) = shard.chunks_of(chunk.inode, chunk.index).next_back()?;
        let later = shard
            .chunks_of(chunk.inode, chunk.index)
            .any(|(id, _)| id != chunk);
        if !later && end.visible_length() <= length {
            return None;
        }
        let version = self.next_version();
        let zeros_version = self.next_version();
        debug_assert!(zeros_version > version);
        let sequence = self.log.append(&Record::Cut {
            chunk,
            length,
            version,
        });
        let first_dropped = if length == 0 {
            Some(chunk.index)
        } else {
            chunk.index.raw().checked_add(1).map(ChunkIndex::new)
        };
        let mut dropped = Dropped::default();
        if let Some(first) = first_dropped {
            self.drop_chunks(
                &mut shard,
                ChunkId {
                    index: first,
                    ..chunk
                },
                &mut dropped,
            );
        }
        if length > 0 {
            self.cut_one(&mut shard, chunk, length, version, sequence, &mut dropped);
        }
        self.allocator.unsettle(&dropped.runs);
        drop(shard);
        self.budget.release(dropped.memory_bytes);
        Some((dropped, sequence))
    }

    /// The log has durably let go of these runs.
    pub(super) fn give_back(&self, inode: InodeId, runs: Vec<Run>) {
        // Under the lock, so that a check finds every block in one place.
        let _shard = self.index.shard(inode);
        self.allocator.settle(&runs);
        self.epochs.retire(runs);
    }

    fn cut_one(
        &self,
        shard: &mut Shard,
        id: ChunkId,
        length: u32,
        version: u64,
        sequence: u64,
        dropped: &mut Dropped,
    ) {
        let Some(chunk) = shard.chunks.get_mut(&id) else {
            return;
        };
        let before = chunk.overlay.as_ref().map_or(0, |overlay| overlay.bytes());
        let record_bytes = chunk.record_bytes();
        let extents = cut_extents(&chunk.extents, length);
        dropped.runs.extend(freed_runs(&chunk.extents, &extents));
        let charge = live_blocks(&extents) as i64 - live_blocks(&chunk.extents) as i64;
        chunk.extents = extents;
        let reserved = chunk
            .overlay
            .as_ref()
            .map_or(0, |overlay| overlay.reserved_blocks);
        cut_chunk(chunk, length, version, sequence);
        let shrunk = record_bytes - chunk.record_bytes();
        self.live_record_bytes.fetch_sub(shrunk, Ordering::Relaxed);
        let after = match &mut chunk.overlay {
            Some(overlay) => {
                self.apply_recount(overlay.recount_reserved());
                overlay.bytes()
            }
            None => {
                self.allocator.unreserve(reserved);
                0
            }
        };
        let overlaid = chunk.overlay.is_some();
        let vanished = chunk.is_nothing();
        if after > before {
            self.budget.add(after - before);
        }
        dropped.memory_bytes += before.saturating_sub(after);
        shard.charge(id.inode, charge);
        if vanished {
            shard.chunks.remove(&id);
        }
        if !overlaid {
            shard.note_settled(id);
        } else if shard.note_overlaid(id) {
            self.flush_queue
                .lock()
                .push(id.inode, self.clock.monotonic());
        }
    }

    /// Takes the file's chunks from that one on out of the index.
    pub(super) fn drop_chunks(&self, shard: &mut Shard, first: ChunkId, dropped: &mut Dropped) {
        let ids: Vec<ChunkId> = shard
            .chunks_of(first.inode, first.index)
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            self.drop_chunk(shard, id, dropped);
        }
    }

    pub(super) fn drop_chunk(&self, shard: &mut Shard, id: ChunkId, dropped: &mut Dropped) {
        let Some(chunk) = shard.chunks.remove(&id) else {
            return;
        };
        dropped.runs.extend(freed_runs(&chunk.extents, &[]));
        self.live_record_bytes
            .fetch_sub(chunk.record_bytes(), Ordering::Relaxed);
        if let Some(overlay) = &chunk.overlay {
            dropped.memory_bytes += overlay.bytes();
            self.allocator.unreserve(overlay.reserved_blocks);
            shard.note_settled(id);
        }
        shard.charge(id.inode, -(live_blocks(&chunk.extents) as i64));
    }
}

/// Cuts a chunk whose extents were cut already: pieces and length; zeroes the rest of a block that still holds
/// old bytes. The zeroes have the version after the cut's. Recovery does the same with the cut's record.
pub(crate) fn cut_chunk(chunk: &mut Chunk, length: u32, version: u64, sequence: u64) {
    let cuts_something = chunk.visible_length() > length;
    chunk.length = chunk.length.min(length);
    let block = BLOCK_BYTES as u32;
    let stored_end = chunk.extents.last().map_or(0, Extent::chunk_block_end);
    let holds_old_bytes = cuts_something && stored_end * block > length;
    if chunk.overlay.is_none() && !holds_old_bytes {
        chunk.version = chunk.version.max(version);
        return;
    }
    let overlay = chunk.overlay_mut();
    overlay.version = overlay.version.max(version);
    if !cuts_something {
        return;
    }
    overlay.carve(length, u32::MAX);
    overlay.length = length;
    if holds_old_bytes {
        let zeros = (length.next_multiple_of(block) - length) as usize;
        let piece = Piece::new(Bytes::from_static(&ZEROS[..zeros]), version + 1, true);
        let offset = length;
        overlay.insert(NewPiece { offset, piece });
        overlay.length = length;
        overlay.note_journaled(sequence);
    } else if overlay.is_empty() {
        chunk.overlay = None;
        chunk.version = chunk.version.max(version);
    }
}
