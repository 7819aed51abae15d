//! Flushing: dirty data of a file from memory to slabs.
//!
//! With the file's lock held, in batches: snapshot each chunk, allocate, write all in parallel, flush the
//! slabs, append all chunk states, wait for the log, install. Until then readers and a crash
//! see the old state; when anything fails, the data is still in memory and the blocks are given back.
//!
//! A block whose old bytes are needed and found damaged is left out: its new bytes stay in memory and in the log, which
//! carries them along, until the block is written as a whole, cut off or removed. So what is damaged stays reported
//! as damaged, byte by byte, and what is new is durable. Such bytes take room in the log that compaction cannot give
//! back: with more than a segment of them, the target is out of service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::future::join_all;
use sluice_types::{ChunkId, ChunkIndex, InodeId};
use tokio::task::JoinSet;

use crate::allocator::Run;
use crate::device::BUFFER_BYTES;
use crate::format::{BLOCK_BYTES, EXTENT_BLOCKS_MAX, Extent, ExtentParts, Record};
use crate::index::{
    FlushPlan, Overlay, Piece, compose, freed_runs, live_blocks, merge_extents, plan_flush,
};
use crate::{Store, StoreError};

/// Chunks flushed together.
const CHUNKS_PER_BATCH: usize = 32;

/// What a flush took of a chunk, and what it became.
#[derive(Debug)]
struct Snapshot {
    chunk: ChunkId,
    version: u64,
    length: u32,
    extents: Box<[Extent]>,
    pieces: Vec<(u32, Piece)>,
    plan: FlushPlan,
    runs: Vec<Run>,
}

/// A snapshot that is in slabs.
#[derive(Debug)]
struct Written {
    snapshot: Snapshot,
    merged: Box<[Extent]>,
}

impl Store {
    /// Flushes all that the file has in memory now.
    pub(crate) async fn flush_file(self: &Arc<Self>, inode: InodeId) -> Result<(), StoreError> {
        let flush = move |store: Arc<Self>| async move {
            let indexes = store.index.shard(inode).overlaid(inode);
            store.flush_locked(inode, &indexes).await
        };
        self.with_file(inode, flush).await
    }

    /// Flushes what one chunk has in memory now.
    pub(crate) async fn flush_chunk(self: &Arc<Self>, chunk: ChunkId) -> Result<(), StoreError> {
        let flush = move |store: Arc<Self>| async move {
            store.flush_locked(chunk.inode, &[chunk.index]).await
        };
        self.with_file(chunk.inode, flush).await
    }

    /// Flushes chunks of a file; the caller holds the file's lock. Tries all, and gives the first error.
    pub(crate) async fn flush_locked(
        self: &Arc<Self>,
        inode: InodeId,
        indexes: &[ChunkIndex],
    ) -> Result<(), StoreError> {
        let mut result = Ok(());
        for batch in indexes.chunks(CHUNKS_PER_BATCH) {
            self.failure.check()?;
            let failed_before = self.failure.failed_in_a_row();
            let flushed = self.flush_batch(inode, batch).await;
            if let Err(error) = &flushed
                && !matches!(error, StoreError::NoSpace | StoreError::Checksum { .. })
            {
                let label = &self.config.label;
                self.failure.count_flush(failed_before, label, error);
            }
            result = result.and(flushed);
        }
        result
    }

    async fn flush_batch(
        self: &Arc<Self>,
        inode: InodeId,
        indexes: &[ChunkIndex],
    ) -> Result<(), StoreError> {
        let failed_flushes = self.slabs.failed_flushes();
        let mut tasks = JoinSet::new();
        let mut result = Ok(());
        for &index in indexes {
            tasks.spawn(Arc::clone(self).write_chunk(ChunkId { inode, index }));
        }
        let mut written = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok(Ok(done)) => written.extend(done),
                Ok(Err(error)) => result = Err(error),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => result = Err(StoreError::Closed),
            }
        }
        let runs: Vec<Run> = written
            .iter()
            .flat_map(|done| done.snapshot.runs.iter().copied())
            .collect();
        if let Err(error) = self.slabs.flush(&runs, failed_flushes).await {
            written.iter().for_each(|done| self.abandon(&done.snapshot));
            return Err(error);
        }
        if !written.is_empty() && result.is_ok() {
            self.failure.clear_flushes();
        }
        let keeps = written
            .iter()
            .any(|done| !done.snapshot.plan.kept.is_empty());
        self.publish(written).await?;
        if keeps {
            self.check_kept();
        }
        result
    }

    /// Takes what the chunk has in memory and writes it to its blocks; none if there is nothing. After an error the chunk is
    /// as it was, in memory.
    async fn write_chunk(self: Arc<Self>, chunk: ChunkId) -> Result<Option<Written>, StoreError> {
        let mut damaged = BTreeSet::new();
        loop {
            let Some(snapshot) = self.snapshot(chunk, &damaged)? else {
                return Ok(None);
            };
            let new = match self.read_old_blocks(chunk, &snapshot.plan).await {
                Ok(old) if old.damaged.is_empty() => {
                    self.write_extents(&snapshot, &old.blocks).await
                }
                Ok(old) => {
                    // Without these: so this ends.
                    damaged.extend(old.damaged);
                    self.abandon(&snapshot);
                    continue;
                }
                Err(error) => Err(error),
            };
            let new = new.inspect_err(|_| self.abandon(&snapshot))?;
            return Ok(Some(Written {
                merged: merge_extents(&snapshot.extents, &new),
                snapshot,
            }));
        }
    }

    /// Takes what the chunk has in memory and allocates blocks for it; none if there is nothing. What would have to be
    /// completed from `damaged` parents stays in memory, and goes into the log again.
    fn snapshot(
        &self,
        chunk: ChunkId,
        damaged: &BTreeSet<u64>,
    ) -> Result<Option<Snapshot>, StoreError> {
        let mut shard = self.index.shard(chunk.inode);
        let Some(known) = shard.chunks.get_mut(&chunk) else {
            return Ok(None);
        };
        let extents = known.extents.clone();
        let Some(overlay) = &mut known.overlay else {
            return Ok(None);
        };
        let pieces: Vec<(u32, Piece)> = overlay
            .pieces()
            .map(|(at, piece)| (at, piece.clone()))
            .collect();
        let (version, length) = (overlay.version, overlay.length);
        let mut plan = plan_flush(&extents, &pieces, length, true, damaged);
        // Of the same pieces, however tidy. What is kept stays reserved.
        let kept_blocks = plan.kept.len() as u64;
        let reserved = overlay.reserved_blocks - kept_blocks;
        let mut allocated = self.allocator.allocate(plan.blocks(), reserved);
        if allocated.is_none() {
            plan = plan_flush(&extents, &pieces, length, false, damaged);
            allocated = self.allocator.allocate(plan.blocks(), reserved);
        }
        let Some(runs) = allocated else {
            return Err(StoreError::NoSpace);
        };
        overlay.flush_floor = version;
        overlay.reserved_blocks = kept_blocks;
        overlay.journal_from_since_snapshot = None;
        overlay.kept_bytes = 0;
        for &block in &plan.kept {
            self.keep_block(overlay, chunk, block);
        }
        Ok(Some(Snapshot {
            chunk,
            version,
            length,
            extents,
            pieces,
            plan,
            runs,
        }))
    }

    /// Puts a block's bytes into the log again, with versions above the snapshot's.
    fn keep_block(&self, overlay: &mut Overlay, chunk: ChunkId, block: u32) {
        let (mut first, length) = (None, overlay.length);
        let append = |offset: u32, piece: &Piece| {
            let (version, bytes) = (piece.version, &*piece.bytes);
            // The flush may still fail, so this may be all that says how far the chunk has grown.
            let record = if offset < length {
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
            first.get_or_insert(self.log.append(&record));
        };
        overlay.keep(block, || self.next_version(), append);
        if let Some(sequence) = first {
            overlay.note_journaled(sequence);
        }
    }

    /// Takes the target out of service if it keeps more than the log has room for.
    fn check_kept(&self) {
        let kept: u64 = self.index.shards().map(|shard| shard.kept_bytes()).sum();
        let limit = self
            .config
            .log_segment_bytes
            .min(self.config.dirty_bytes_max as u64 / 4);
        if kept > limit {
            let error = StoreError::TooMuchDamage {
                kept_bytes: kept,
                limit_bytes: limit,
            };
            self.failure.fail(&self.config.label, &error);
        }
    }

    async fn write_extents(
        &self,
        snapshot: &Snapshot,
        old: &BTreeMap<u32, Bytes>,
    ) -> Result<Vec<Extent>, StoreError> {
        let pieces_of_extents = split(&snapshot.plan, &snapshot.runs);
        let mut extents = Vec::with_capacity(pieces_of_extents.len());
        // A run of blocks is one write, up to what the pool gives at once.
        let slab = |address| self.allocator.place(address).0;
        let groups = pieces_of_extents.chunk_by(|left, right| {
            left.address + u64::from(left.blocks) == right.address
                && slab(left.address) == slab(right.address)
        });
        let mut writes = Vec::new();
        for group in groups.flat_map(|group| group.chunks(16)) {
            let lengths: Vec<usize> = group
                .iter()
                .map(|part| part.blocks as usize * BLOCK_BYTES)
                .collect();
            debug_assert!(lengths.iter().all(|&length| length <= BUFFER_BYTES));
            writes.push((group, lengths));
        }
        let writes = writes.into_iter().map(|(group, lengths)| {
            let pieces = &snapshot.pieces;
            async move {
                let mut buffers = self.device.pools().writes.take(&lengths).await;
                let mut written = Vec::with_capacity(group.len());
                for (part, buffer) in group.iter().zip(&mut buffers) {
                    compose(buffer.as_mut(), part.chunk_block, old, pieces);
                    let crc = crc32c::crc32c(buffer.as_ref());
                    written.push(Extent::new(ExtentParts { crc, ..*part }));
                }
                let run = Run {
                    address: group[0].address,
                    blocks: group.iter().map(|part| part.blocks).sum(),
                };
                self.slabs.write(run, buffers).await?;
                let bytes: usize = lengths.iter().sum();
                self.metrics.slab_write_bytes.increment(bytes as u64);
                Ok::<_, StoreError>(written)
            }
        });
        // All of them, also after an error: none may be on its way when the blocks are given back.
        for written in join_all(writes).await {
            extents.extend(written?);
        }
        extents.sort_unstable_by_key(Extent::chunk_block);
        Ok(extents)
    }

    /// Appends the states of what was written, waits for the log, and installs them.
    async fn publish(&self, written: Vec<Written>) -> Result<(), StoreError> {
        let Some(inode) = written.first().map(|done| done.snapshot.chunk.inode) else {
            return Ok(());
        };
        let mut last = 0;
        let mut homes = Vec::with_capacity(written.len());
        {
            let _shard = self.index.shard(inode);
            for done in &written {
                last = self.log.append(&Record::ChunkState {
                    chunk: done.snapshot.chunk,
                    version: done.snapshot.version,
                    length: done.snapshot.length,
                    extents: done.merged.to_vec(),
                });
                homes.push(last);
            }
        }
        // If this fails, the log's state is unknown: the blocks stay taken and the target is out of service.
        self.log.durable(last).await?;
        for (done, home) in written.into_iter().zip(homes) {
            self.install(done, home);
        }
        Ok(())
    }

    /// The chunk is in slabs now.
    fn install(&self, done: Written, home: u64) {
        let Written { snapshot, merged } = done;
        let chunk = snapshot.chunk;
        let mut shard = self.index.shard(chunk.inode);
        let Some(known) = shard.chunks.get_mut(&chunk) else {
            unreachable!("the file's lock keeps chunk {chunk} in the index");
        };
        let freed = freed_runs(&known.extents, &merged);
        let charge = live_blocks(&merged) as i64 - live_blocks(&known.extents) as i64;
        let record_bytes = known.record_bytes();
        known.extents = merged;
        (known.version, known.length, known.home) = (snapshot.version, snapshot.length, home);
        let grown = known.record_bytes().wrapping_sub(record_bytes);
        self.live_record_bytes.fetch_add(grown, Ordering::Relaxed);
        let mut released = 0;
        if let Some(overlay) = &mut known.overlay {
            released = overlay.drop_through(snapshot.version);
            overlay.flush_floor = 0;
            overlay.journal_from = overlay.journal_from_since_snapshot;
            self.apply_recount(overlay.recount_reserved());
            if overlay.is_empty() {
                known.overlay = None;
                shard.note_settled(chunk);
            }
        }
        shard.charge(chunk.inode, charge);
        self.allocator.settle(&snapshot.runs);
        self.epochs.retire(freed);
        drop(shard);
        self.budget.release(released);
    }

    /// The chunk stays as it was, in memory.
    fn abandon(&self, snapshot: &Snapshot) {
        let mut shard = self.index.shard(snapshot.chunk.inode);
        let known = shard.chunks.get_mut(&snapshot.chunk);
        if let Some(overlay) = known.and_then(|known| known.overlay.as_mut()) {
            overlay.flush_floor = 0;
            self.apply_recount(overlay.recount_reserved());
        }
        // Promised again before they are free, so that nobody else gets them.
        self.allocator.abandon(&snapshot.runs);
    }

    pub(crate) fn apply_recount(&self, change: i64) {
        if change >= 0 {
            self.allocator.reserve_always(change.unsigned_abs());
        } else {
            self.allocator.unreserve(change.unsigned_abs());
        }
    }
}

/// Cuts the plan's ranges to the runs that were allocated: one extent-to-be each.
fn split(plan: &FlushPlan, runs: &[Run]) -> Vec<ExtentParts> {
    let mut parts = Vec::new();
    let mut runs = runs.iter().copied();
    let mut run = Run {
        address: 0,
        blocks: 0,
    };
    for range in &plan.ranges {
        let mut block = range.start;
        while block < range.end {
            if run.blocks == 0 {
                let Some(next) = runs.next() else {
                    unreachable!("as many blocks were allocated as planned");
                };
                run = next;
            }
            let blocks = (range.end - block).min(run.blocks).min(EXTENT_BLOCKS_MAX);
            parts.push(ExtentParts {
                address: run.address,
                parent_blocks: blocks,
                skip: 0,
                blocks,
                chunk_block: block,
                crc: 0,
            });
            block += blocks;
            run.address += u64::from(blocks);
            run.blocks -= blocks;
        }
    }
    parts
}
