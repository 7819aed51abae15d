//! Compaction: the oldest log segment goes, after what is still needed of it was written again.
//!
//! Of each chunk state that is still its chunk's newest, the chunk's present state is appended, unless the log
//! holds data or a cut of the chunk beside: the state would come after the cut, and replaying that would not know
//! what to zero. Such a chunk is flushed, which makes one new state of all. Also
//! chunks whose journaled data (or cut) is only in this segment are flushed to slabs; removals are dropped,
//! as nothing older is left that they remove. The log is kept below twice what is live plus a few
//! segments, so a record is written again at most about once for each time the log's worth of new ones came.
//!
//! When there is no space for another segment, more is compacted: as long as half a segment is to be gained, and what the
//! oldest segment needs has room in the current one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sluice_types::ChunkId;

use crate::format::{
    BLOCK_BYTES, EXTENT_BLOCKS_MAX, Extent, RECORD_HEADER_BYTES, Record, frame_bytes, records,
    segment_name,
};
use crate::log::{Segment, frames, read_segment};
use crate::{Store, StoreError};

/// Segments beside the live records that are left alone.
const SPARE_SEGMENTS: u64 = 3;
/// Records appended before the log is waited for, which bounds what is queued.
const RECORDS_PER_WAIT: usize = 1024;

/// What of a segment may be needed.
#[derive(Debug, Default)]
struct Contents {
    /// Chunk states and the frames they are in.
    states: Vec<(ChunkId, u64)>,
    /// Chunks with data or cuts.
    journaled: BTreeSet<ChunkId>,
}

impl Store {
    pub(crate) fn needs_compaction(&self) -> bool {
        let (bytes, segments) = self.log.size();
        let live = self.live_record_bytes.load(Ordering::Relaxed);
        let segment_bytes = self.config.log_segment_bytes;
        if self.log.is_short() {
            return bytes > live + segment_bytes / 2 * 3;
        }
        segments > 2 && bytes > 2 * live + SPARE_SEGMENTS * segment_bytes
    }

    /// Bytes by which the log may grow before compaction keeps it as it is, a spare segment included.
    pub(crate) fn log_headroom_bytes(&self) -> u64 {
        let live = self.live_record_bytes.load(Ordering::Relaxed);
        let most = 2 * live + (SPARE_SEGMENTS + 2) * self.config.log_segment_bytes;
        most.saturating_sub(self.log.size().0 + self.log.spare_bytes())
    }

    /// Compacts the oldest segment. False if there is none beside the current, or no room for what is needed of it.
    pub(crate) async fn compact_oldest(self: &Arc<Self>) -> Result<bool, StoreError> {
        let Some((oldest, next_sequence)) = self.log.oldest() else {
            return Ok(false);
        };
        let contents = self.read_contents(&oldest, next_sequence).await?;
        if self.log.is_short()
            && self.needed_bytes(&contents, next_sequence) > self.log.rest_bytes()
        {
            return Ok(false);
        }
        for states in contents.states.chunks(RECORDS_PER_WAIT) {
            let mut mixed = Vec::new();
            for &(chunk, sequence) in states {
                if !self.append_again(chunk, sequence) {
                    mixed.push((chunk, sequence));
                }
            }
            self.log.barrier().await?;
            for (chunk, sequence) in mixed {
                while !self.append_again(chunk, sequence) {
                    self.flush_chunk(chunk).await?;
                }
            }
        }
        for chunk in contents.journaled {
            if self.is_journaled_before(chunk, next_sequence) {
                self.flush_chunk(chunk).await?;
            }
        }
        self.log.drop_oldest(oldest).await?;
        self.metrics.compactions.increment(1);
        Ok(true)
    }

    /// Room that compaction of a segment with these contents takes in the log, at most about.
    fn needed_bytes(&self, contents: &Contents, next_sequence: u64) -> u64 {
        let journaled = contents.journaled.iter().copied();
        let mut flushed: BTreeSet<ChunkId> = journaled
            .filter(|&chunk| self.is_journaled_before(chunk, next_sequence))
            .collect();
        let mut states_bytes = 0;
        for &(chunk, sequence) in &contents.states {
            let shard = self.index.shard(chunk.inode);
            let known = shard.chunks.get(&chunk);
            let Some(known) = known.filter(|known| known.home == sequence) else {
                continue;
            };
            if known.is_journaled() {
                flushed.insert(chunk);
            } else {
                states_bytes += known.record_bytes();
            }
        }
        let flushes = flushed.into_iter().map(|chunk| self.flush_log_bytes(chunk));
        // A wait ends a frame, and the last says where the log starts.
        let frames = contents.states.len() / RECORDS_PER_WAIT + 1;
        flushes.sum::<u64>()
            + self.log.framed_bytes(states_bytes)
            + frames as u64 * BLOCK_BYTES as u64
    }

    /// Room that the flush of a chunk takes in the log, at most about: a frame for its state, and what it keeps.
    fn flush_log_bytes(&self, chunk: ChunkId) -> u64 {
        let shard = self.index.shard(chunk.inode);
        let Some(known) = shard.chunks.get(&chunk) else {
            return 0;
        };
        let Some(overlay) = &known.overlay else {
            return 0;
        };
        let (mut extents, mut next) = (known.extents.len(), None);
        for block in overlay.touched_blocks() {
            if next != Some(block) || block.is_multiple_of(EXTENT_BLOCKS_MAX) {
                // One that is new, and one that it splits off another.
                extents += 2;
            }
            next = Some(block + 1);
        }
        let state = frame_bytes(RECORD_HEADER_BYTES + extents * Extent::BYTES) as u64;
        match overlay.kept_bytes {
            0 => state,
            kept => state + self.log.framed_bytes(kept),
        }
    }

    async fn read_contents(
        &self,
        oldest: &Segment,
        next_sequence: u64,
    ) -> Result<Contents, StoreError> {
        let bytes = read_segment(&self.device, oldest).await?;
        let mut contents = Contents::default();
        let mut sequence = oldest.first_sequence;
        for frame in frames(&bytes, oldest, sequence) {
            let (header, body) = frame?;
            sequence = header.sequence + 1;
            for record in records(body) {
                let name = || segment_name(oldest.number);
                let record =
                    record.map_err(|error| StoreError::Corrupt(format!("{}: {error}", name())))?;
                match record {
                    Record::ChunkState { chunk, .. } => {
                        contents.states.push((chunk, header.sequence));
                    }
                    Record::Data { chunk, .. }
                    | Record::KeptData { chunk, .. }
                    | Record::Cut { chunk, .. } => {
                        contents.journaled.insert(chunk);
                    }
                    Record::RemoveFile { .. } | Record::RemoveChunk { .. } => {}
                }
            }
        }
        if sequence != next_sequence {
            return Err(StoreError::Corrupt(format!(
                "{}: ends before frame {sequence}, expected {next_sequence}",
                segment_name(oldest.number)
            )));
        }
        Ok(contents)
    }

    /// Appends the chunk's state if the frame holds its newest. False if the chunk must be flushed instead.
    fn append_again(&self, chunk: ChunkId, sequence: u64) -> bool {
        let mut shard = self.index.shard(chunk.inode);
        let Some(known) = shard.chunks.get_mut(&chunk) else {
            return true;
        };
        if known.home != sequence {
            return true;
        }
        if known.is_journaled() {
            return false;
        }
        known.home = self.log.append(&known.state_record(chunk));
        true
    }

    fn is_journaled_before(&self, chunk: ChunkId, sequence: u64) -> bool {
        let shard = self.index.shard(chunk.inode);
        let known = shard.chunks.get(&chunk);
        let overlay = known.and_then(|known| known.overlay.as_ref());
        overlay
            .and_then(|overlay| overlay.journal_from)
            .is_some_and(|from| from < sequence)
    }
}
