//! WRITE: bytes into memory, and into the log if they must be durable.

use std::sync::Arc;

use bytes::Bytes;
use sluice_types::{BootId, ChunkId, ChunkSize, Payload, Stability};
use tokio_util::sync::CancellationToken;

use crate::format::Record;
use crate::index::{NewPiece, Piece};
use crate::{Store, StoreError};

/// Pieces up to this size are copied, so that they do not keep a whole receive buffer from its pool.
const COPY_BYTES_MAX: usize = 16 * 1024;

/// Answer to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteDone {
    /// The start of the store that took the data; if a commit answers another one, the data
    /// may be lost and must be sent again.
    pub boot: BootId,
    /// Length of the chunk now.
    pub chunk_length: u32,
    /// Version of the chunk now.
    pub version: u64,
}

impl Store {
    /// [`Store::write_unless`] nobody wants it any more, for a caller that always does.
    ///
    /// # Errors
    /// As there.
    pub async fn write(
        self: &Arc<Self>,
        chunk: ChunkId,
        offset: u32,
        data: Payload,
        stability: Stability,
    ) -> Result<WriteDone, StoreError> {
        let never = CancellationToken::new();
        self.write_unless(&never, chunk, offset, data, stability)
            .await
    }

    /// Writes `data` into a chunk at `offset`. Unstable data is durable after [`Store::commit`], other data when
    /// this returns. Data is visible to readers before it is durable. A write that waits for room when its asker has
    /// `given_up` is not begun: the asker may have written the same place anew. One that has begun is finished.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] and [`StoreError::GivenUp`], with nothing changed; [`StoreError::Removed`] if the inode was
    /// removed not long ago; [`StoreError::Invalid`] beyond the largest chunk; [`StoreError::Failed`].
    pub async fn write_unless(
        self: &Arc<Self>,
        given_up: &CancellationToken,
        chunk: ChunkId,
        offset: u32,
        data: Payload,
        stability: Stability,
    ) -> Result<WriteDone, StoreError> {
        let begun = self.clock.monotonic();
        let _in_flight = self.metrics.in_flight();
        let bytes = data.len() as u64;
        let result = self
            .write_counted(given_up, chunk, offset, data, stability)
            .await;
        self.metrics.write.calls.increment(1);
        self.metrics.write.bytes.increment(bytes);
        let took = self.clock.monotonic().saturating_sub(begun);
        self.metrics.write.seconds.record(took.as_secs_f64());
        self.counted(result)
    }

    async fn write_counted(
        self: &Arc<Self>,
        given_up: &CancellationToken,
        chunk: ChunkId,
        offset: u32,
        data: Payload,
        stability: Stability,
    ) -> Result<WriteDone, StoreError> {
        self.failure.check()?;
        let fits = data.len() <= ChunkSize::MAX_BYTES as usize
            && offset <= ChunkSize::MAX_BYTES - data.len() as u32;
        if !fits {
            return Err(StoreError::Invalid("write beyond the largest chunk"));
        }
        if data.is_empty() {
            return Ok(self.done(chunk));
        }
        if self.log.refuses_writes() {
            return Err(StoreError::NoSpace);
        }
        let stable = stability != Stability::Unstable;
        let journal = stable && data.len() <= self.config.journal_bytes_max as usize;
        let (length, segments) = (data.len(), own_small_pieces(data));
        let admitted = tokio::select! {
            biased;
            () = given_up.cancelled() => return Err(StoreError::GivenUp),
            admitted = self.budget.admit(length, || self.failure.check()) => admitted?,
        };
        let (done, sequence) = self
            .insert_growing(given_up, chunk, offset, length, &segments, journal)
            .await?;
        admitted.keep();
        match sequence {
            Some(sequence) => self.log.durable(sequence).await?,
            None if stable => self.flush_chunk(chunk).await?,
            None => {}
        }
        Ok(done)
    }

    /// [`Self::insert`], after adding slabs where space is short.
    async fn insert_growing(
        self: &Arc<Self>,
        given_up: &CancellationToken,
        chunk: ChunkId,
        offset: u32,
        length: usize,
        segments: &[Bytes],
        journal: bool,
    ) -> Result<(WriteDone, Option<u64>), StoreError> {
        loop {
            if given_up.is_cancelled() {
                return Err(StoreError::GivenUp);
            }
            let slabs = self.allocator.slab_count();
            match self.insert(chunk, offset, length, segments, journal) {
                Err(StoreError::NoSpace) => {
                    // To its end, also if this caller goes away: a file half made must not meet the next try.
                    let store = Arc::clone(self);
                    self.detached(async move {
                        store.slabs.grow(slabs, store.log_headroom_bytes()).await
                    })
                    .await?;
                }
                inserted => return inserted,
            }
        }
    }

    /// The memory part, under the shard's lock: reserve, log, insert. Gives the frame to wait for, if journaled.
    fn insert(
        &self,
        chunk: ChunkId,
        offset: u32,
        length: usize,
        segments: &[Bytes],
        journal: bool,
    ) -> Result<(WriteDone, Option<u64>), StoreError> {
        let mut shard = self.index.shard(chunk.inode);
        if shard.is_removed(chunk.inode) {
            return Err(StoreError::Removed(chunk.inode));
        }
        let end = offset + length as u32;
        let known = shard
            .chunks
            .get(&chunk)
            .and_then(|known| known.overlay.as_ref());
        let blocks = match known {
            Some(overlay) => overlay.blocks_to_reserve(offset, end),
            None => crate::index::Overlay::blocks_of_range(offset, end),
        };
        if !self.allocator.try_reserve(blocks) {
            return Err(StoreError::NoSpace);
        }
        let version = self.next_version();
        let overlay = shard.chunks.entry(chunk).or_default().overlay_mut();
        overlay.reserved_blocks += blocks;
        let (mut at, mut replaced, mut sequence) = (offset, 0, None);
        for bytes in segments {
            if journal {
                let frame = self.log.append(&Record::Data {
                    chunk,
                    version,
                    offset: at,
                    bytes,
                });
                overlay.note_journaled(frame);
                sequence = Some(frame);
            }
            let piece = Piece::new(bytes.clone(), version, journal);
            replaced += overlay.insert(NewPiece { offset: at, piece });
            at += bytes.len() as u32;
        }
        let done = WriteDone {
            boot: self.boot,
            chunk_length: overlay.length,
            version,
        };
        if shard.note_overlaid(chunk) {
            self.flush_queue
                .lock()
                .push(chunk.inode, self.clock.monotonic());
        }
        drop(shard);
        self.budget.release(replaced);
        Ok((done, sequence))
    }

    /// The answer to a write of nothing.
    fn done(&self, chunk: ChunkId) -> WriteDone {
        let shard = self.index.shard(chunk.inode);
        let known = shard.chunks.get(&chunk);
        WriteDone {
            boot: self.boot,
            chunk_length: known.map_or(0, |known| known.visible_length()),
            version: known.map_or(0, |known| known.visible_version()),
        }
    }
}

/// The payload's pieces; if it is small as one copy, else with small ones copied.
fn own_small_pieces(data: Payload) -> Vec<Bytes> {
    if data.len() <= COPY_BYTES_MAX {
        let mut copy = vec![0; data.len()];
        data.copy_to(&mut copy);
        return vec![copy.into()];
    }
    let own = |piece: Bytes| {
        if piece.len() <= COPY_BYTES_MAX {
            Bytes::copy_from_slice(&piece)
        } else {
            piece
        }
    };
    data.into_segments().into_iter().map(own).collect()
}
