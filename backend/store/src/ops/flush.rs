//! Flushing: dirty data of a file from memory to slabs.
//!
//! With the file's lock held, in batches: snapshot each chunk, allocate, write all in parallel, flush the
//! slabs, append all chunk states, wait for the log, install. Until then readers and a crash
//! see the old state; when anything fails, the data is still in memory and the blocks are given back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::future::join_all;
use sluice_types::{ChunkId, ChunkIndex, InodeId};
use tokio::task::JoinSet;

use crate::allocator::Run;
use crate::device::BUFFER_BYTES;
use crate::failure::Kind;
use crate::format::{BLOCK_BYTES, EXTENT_BLOCKS_MAX, Extent, ExtentParts, Record};
use crate::index::{FlushPlan, Piece, compose, freed_runs, live_blocks, merge_extents, plan_flush};
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
            let flushed = self.flush_batch(inode, batch).await;
            if let Err(error) = &flushed
                && !matches!(error, StoreError::NoSpace | StoreError::Checksum { .. })
            {
                self.failure.count(Kind::Flush, &self.config.label, error);
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
            match self.snapshot(ChunkId { inode, index }) {
                Ok(Some(snapshot)) => {
                    tasks.spawn(Arc::clone(self).write_snapshot(snapshot));
                }
                Ok(None) => {}
                Err(error) => result = Err(error),
            }
        }
        let mut written = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok(Ok(done)) => written.push(done),
                Ok(Err((snapshot, error))) => {
                    self.abandon(&snapshot);
                    result = Err(error);
                }
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
            self.failure.clear_count(Kind::Flush);
        }
        self.publish(written).await?;
        result
    }

    /// Takes what the chunk has in memory and allocates blocks for it; none if there is nothing.
    fn snapshot(&self, chunk: ChunkId) -> Result<Option<Snapshot>, StoreError> {
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
        let reserved = overlay.reserved_blocks;
        let mut plan = plan_flush(&extents, &pieces, overlay.length, true);
        let mut allocated = self.allocator.allocate(plan.blocks(), reserved);
        if allocated.is_none() {
            plan = plan_flush(&extents, &pieces, overlay.length, false);
            allocated = self.allocator.allocate(plan.blocks(), reserved);
        }
        let Some(runs) = allocated else {
            return Err(StoreError::NoSpace);
        };
        overlay.flush_floor = overlay.version;
        overlay.reserved_blocks = 0;
        overlay.journal_from_since_snapshot = None;
        Ok(Some(Snapshot {
            chunk,
            version: overlay.version,
            length: overlay.length,
            extents,
            pieces,
            plan,
            runs,
        }))
    }

    /// Writes a snapshot to its blocks.
    async fn write_snapshot(
        self: Arc<Self>,
        snapshot: Snapshot,
    ) -> Result<Written, (Snapshot, StoreError)> {
        match self.write_extents(&snapshot).await {
            Ok(new) => Ok(Written {
                merged: merge_extents(&snapshot.extents, &new),
                snapshot,
            }),
            Err(error) => Err((snapshot, error)),
        }
    }

    async fn write_extents(&self, snapshot: &Snapshot) -> Result<Vec<Extent>, StoreError> {
        let old = self.read_old_blocks(snapshot).await?;
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
            let (old, pieces) = (&old, &snapshot.pieces);
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

    /// Stored blocks that the snapshot's writes must be completed with.
    async fn read_old_blocks(
        &self,
        snapshot: &Snapshot,
    ) -> Result<BTreeMap<u32, Bytes>, StoreError> {
        let mut blocks = BTreeMap::new();
        for extents in snapshot.plan.reads.chunks(16) {
            let read = self
                .slabs
                .read(extents, &self.device.pools().writes)
                .await?;
            for (extent, parent) in extents.iter().zip(read) {
                let parent = parent.map_err(|mismatch| mismatch.into_error(snapshot.chunk))?;
                // Copied, so that no buffer is held while others are waited for.
                let parent = Bytes::copy_from_slice(&parent);
                for block in extent.chunk_block()..extent.chunk_block_end() {
                    let at = (extent.skip() + block - extent.chunk_block()) as usize * BLOCK_BYTES;
                    blocks.insert(block, parent.slice(at..at + BLOCK_BYTES));
                }
            }
        }
        Ok(blocks)
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
