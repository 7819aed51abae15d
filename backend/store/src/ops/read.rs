//! READ: from memory where it is newer, else from slabs, verified.

use std::sync::Arc;

use bytes::Bytes;
use sluice_types::{ChunkId, ChunkRange, Payload};

use crate::epochs::Reading;
use crate::format::{BLOCK_BYTES, Extent};
use crate::index::Chunk;
use crate::slabs::Damaged;
use crate::{Store, StoreError};

const BLOCK: u32 = BLOCK_BYTES as u32;

/// Where the bytes of a range come from, in order.
#[derive(Debug, Default)]
struct ReadPlan {
    parts: Vec<Part>,
    /// Extents whose parents are read.
    extents: Vec<Extent>,
}

#[derive(Debug)]
enum Part {
    Memory(Bytes),
    Zeros(u32),
    /// Bytes of the parent of one of the plan's extents.
    Slab {
        extent: usize,
        start: u32,
        length: u32,
    },
}

impl Store {
    /// Reads a range of a chunk. Short where the chunk ends (empty if there is none); holes are
    /// zeros. The payload shares the device's read buffers.
    ///
    /// # Errors
    /// [`StoreError::Checksum`] if stored data is damaged; [`StoreError::Device`].
    pub async fn read(
        self: &Arc<Self>,
        chunk: ChunkId,
        range: ChunkRange,
    ) -> Result<Payload, StoreError> {
        let begun = self.clock.monotonic();
        let _in_flight = self.metrics.in_flight();
        let result = self.read_counted(chunk, range).await;
        self.metrics.read.calls.increment(1);
        if let Ok(payload) = &result {
            self.metrics.read.bytes.increment(payload.len() as u64);
        }
        let took = self.clock.monotonic().saturating_sub(begun);
        self.metrics.read.seconds.record(took.as_secs_f64());
        self.counted(result)
    }

    async fn read_counted(
        self: &Arc<Self>,
        chunk: ChunkId,
        range: ChunkRange,
    ) -> Result<Payload, StoreError> {
        let Some((plan, reading)) = self.plan_read(chunk, range) else {
            return Ok(Payload::new());
        };
        if plan.extents.is_empty() {
            return Ok(plan.assemble(&[]));
        }
        let read = self
            .slabs
            .read(&plan.extents, &self.device.pools().reads)
            .await;
        drop(reading);
        let read = read?;
        self.count_reads(chunk, &read);
        let parents: Result<Vec<Bytes>, _> = read.into_iter().collect();
        let parents = parents.map_err(|damaged| damaged.into_error(chunk))?;
        Ok(plan.assemble(&parents))
    }

    /// Counts what the device did not read.
    pub(super) fn count_reads(&self, chunk: ChunkId, read: &[Result<Bytes, Damaged>]) {
        for read in read {
            match read {
                Err(damaged) if damaged.is_unreadable() => {
                    let error = damaged.clone().into_error(chunk);
                    let address = damaged.extent.address();
                    self.failure.count_read(address, &self.config.label, &error);
                }
                _ => self.failure.clear_reads(),
            }
        }
    }

    fn plan_read(&self, chunk: ChunkId, range: ChunkRange) -> Option<(ReadPlan, Reading)> {
        let shard = self.index.shard(chunk.inode);
        let known = shard.chunks.get(&chunk)?;
        let end = range.end().min(known.visible_length());
        if range.start >= end {
            return None;
        }
        let plan = ReadPlan::of(known, range.start, end);
        // Under the shard's lock, so that nothing in the plan is reused before it was read.
        Some((plan, self.epochs.enter()))
    }
}

impl ReadPlan {
    fn of(chunk: &Chunk, start: u32, end: u32) -> Self {
        let mut plan = Self::default();
        let mut at = start;
        let overlay = chunk.overlay.iter();
        for (offset, piece) in overlay.flat_map(|overlay| overlay.overlapping(start, end)) {
            let from = offset.max(start);
            plan.add_stored(&chunk.extents, at, from);
            let to = (offset + piece.bytes.len() as u32).min(end);
            let bytes = piece
                .bytes
                .slice((from - offset) as usize..(to - offset) as usize);
            plan.parts.push(Part::Memory(bytes));
            at = to;
        }
        plan.add_stored(&chunk.extents, at, end);
        plan
    }

    /// Adds `from..to` as the extents have it.
    fn add_stored(&mut self, extents: &[Extent], from: u32, to: u32) {
        if from >= to {
            return;
        }
        let mut at = from;
        let first = extents.partition_point(|extent| extent.chunk_block_end() * BLOCK <= from);
        for extent in &extents[first..] {
            let start = extent.chunk_block() * BLOCK;
            if start >= to {
                break;
            }
            if start > at {
                self.parts.push(Part::Zeros(start - at));
                at = start;
            }
            let end = to.min(extent.chunk_block_end() * BLOCK);
            let part = Part::Slab {
                extent: self.add_parent(extent),
                start: extent.skip() * BLOCK + (at - start),
                length: end - at,
            };
            self.parts.push(part);
            at = end;
        }
        if at < to {
            self.parts.push(Part::Zeros(to - at));
        }
    }

    fn add_parent(&mut self, extent: &Extent) -> usize {
        let same_parent = |last: &Extent| last.address() == extent.address();
        if !self.extents.last().is_some_and(same_parent) {
            self.extents.push(*extent);
        }
        self.extents.len() - 1
    }

    fn assemble(self, parents: &[Bytes]) -> Payload {
        let mut payload = Payload::new();
        for part in self.parts {
            match part {
                Part::Memory(bytes) => payload.push(bytes),
                Part::Zeros(length) => payload.push_zeros(length as usize),
                Part::Slab {
                    extent,
                    start,
                    length,
                } => {
                    let (start, length) = (start as usize, length as usize);
                    payload.push(parents[extent].slice(start..start + length));
                }
            }
        }
        payload
    }
}
