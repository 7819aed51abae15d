//! COMMIT: everything written to a file so far becomes durable.

use std::sync::Arc;

use sluice_types::{BootId, ChunkId, ChunkIndex, InodeId};

use crate::format::Record;
use crate::{Store, StoreError};

/// Pieces that a commit puts into the log at most, instead of writing them to slabs.
const JOURNALED_PIECES_MAX: usize = 64;

/// Answer to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitDone {
    /// This start of the store: data written under another one may be lost.
    pub boot: BootId,
    /// The file's last chunk here and its length; none if the file has no chunk here.
    pub end: Option<(ChunkIndex, u32)>,
    /// Bytes that the file takes here.
    pub allocated_bytes: u64,
}

impl Store {
    /// Makes all data of the file that was written before the call durable. Little data goes to the log,
    /// more goes to slabs; either way many callers share a flush.
    ///
    /// # Errors
    /// [`StoreError::Device`], [`StoreError::Failed`], or [`StoreError::NoSpace`] while there is no room in the log, nor was
    /// for 10 s: the data is still in memory, and may be committed later.
    pub async fn commit(self: &Arc<Self>, inode: InodeId) -> Result<CommitDone, StoreError> {
        let begun = self.clock.monotonic();
        let _in_flight = self.metrics.in_flight();
        let result = self.commit_counted(inode).await;
        self.metrics.commit.calls.increment(1);
        let took = self.clock.monotonic().saturating_sub(begun);
        self.metrics.commit.seconds.record(took.as_secs_f64());
        self.counted(result)
    }

    async fn commit_counted(self: &Arc<Self>, inode: InodeId) -> Result<CommitDone, StoreError> {
        self.failure.check()?;
        if self.index.shard(inode).is_settled(inode) {
            // What a running flush took is in memory until it is durable, and a cut that is under way holds the
            // file's lock: so there is nothing to wait for.
            return Ok(self.commit_done(inode));
        }
        self.log.check_room()?;
        let commit = move |store: Arc<Self>| async move {
            let indexes = store.dirty_chunks(inode);
            // In slabs it takes less of the log.
            if store.is_small(inode, &indexes) && !store.log.is_short() {
                store.journal_dirty(inode, &indexes);
                // Also for what was journaled before by others who still wait.
                store.log.barrier().await
            } else {
                store.flush_locked(inode, &indexes).await?;
                store.log.barrier().await
            }
        };
        self.with_file(inode, commit).await?;
        Ok(self.commit_done(inode))
    }

    fn commit_done(&self, inode: InodeId) -> CommitDone {
        let shard = self.index.shard(inode);
        CommitDone {
            boot: self.boot,
            end: shard.end(inode),
            allocated_bytes: shard.allocated_bytes(inode),
        }
    }

    /// Chunks with data that is in memory only.
    fn dirty_chunks(&self, inode: InodeId) -> Vec<ChunkIndex> {
        let shard = self.index.shard(inode);
        let mut indexes = shard.overlaid(inode);
        indexes.retain(|&index| {
            let known = shard.chunks.get(&ChunkId { inode, index });
            let overlay = known.and_then(|known| known.overlay.as_ref());
            overlay.is_some_and(|overlay| overlay.dirty_bytes() > 0)
        });
        indexes
    }

    fn is_small(&self, inode: InodeId, indexes: &[ChunkIndex]) -> bool {
        if indexes.len() > JOURNALED_PIECES_MAX {
            return false;
        }
        let shard = self.index.shard(inode);
        let (mut bytes, mut pieces) = (0, 0);
        for &index in indexes {
            let known = shard.chunks.get(&ChunkId { inode, index });
            if let Some(overlay) = known.and_then(|known| known.overlay.as_ref()) {
                let dirty = overlay.pieces().filter(|(_, piece)| !piece.journaled);
                for (_, piece) in dirty {
                    bytes += piece.bytes.len();
                    pieces += 1;
                }
            }
        }
        bytes <= self.config.journal_bytes_max as usize && pieces <= JOURNALED_PIECES_MAX
    }

    /// Puts all dirty pieces of these chunks into the log.
    fn journal_dirty(&self, inode: InodeId, indexes: &[ChunkIndex]) {
        let mut shard = self.index.shard(inode);
        for &index in indexes {
            let chunk = ChunkId { inode, index };
            let known = shard.chunks.get_mut(&chunk);
            let Some(overlay) = known.and_then(|known| known.overlay.as_mut()) else {
                continue;
            };
            let mut first = None;
            let next_version = || self.next_version();
            overlay.journal_all(next_version, |offset, piece| {
                let sequence = self.log.append(&Record::Data {
                    chunk,
                    version: piece.version,
                    offset,
                    bytes: &piece.bytes,
                });
                first.get_or_insert(sequence);
            });
            if let Some(sequence) = first {
                overlay.note_journaled(sequence);
            }
        }
    }
}
