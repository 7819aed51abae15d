//! A clean shutdown.

use std::sync::Arc;

use futures::{StreamExt, stream};
use sluice_types::{ChunkId, InodeId};

use crate::index::Shard;
use crate::{Store, StoreError};

/// Files flushed at once, when nobody waits for one of them alone: so that they share the flushes of slabs and log. What
/// they hold at once is bounded by the write pool and the room for old blocks.
pub(crate) const FLUSHES_MAX: usize = 32;

impl Store {
    /// Writes all data in memory to slabs, first what is nowhere else.
    ///
    /// # Errors
    /// The first [`StoreError`] met; the rest is written all the same.
    pub async fn flush_all(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut files: Vec<(bool, InodeId)> = Vec::new();
        for shard in self.index.shards() {
            files.extend(
                shard
                    .overlaid_files()
                    .map(|inode| (!is_dirty(&shard, inode), inode)),
            );
        }
        files.sort_unstable();
        let result = stream::iter(files)
            .map(|(_, inode)| self.flush_file(inode))
            .buffer_unordered(FLUSHES_MAX)
            .fold(Ok(()), |result, flushed| async { result.and(flushed) })
            .await;
        result.and(self.log.barrier().await)
    }

    /// Writes all data in memory to slabs, and takes no more. The store opens again faster, and nothing
    /// unstable is lost.
    ///
    /// # Errors
    /// The first [`StoreError`] met; the store is closed all the same.
    pub async fn close(self: &Arc<Self>) -> Result<(), StoreError> {
        let result = self.flush_all().await;
        self.failure.close();
        self.log.close();
        self.budget.wake_all();
        self.stop_tasks();
        result
    }
}

/// Whether data of the file is in memory only.
fn is_dirty(shard: &Shard, inode: InodeId) -> bool {
    shard.overlaid(inode).into_iter().any(|index| {
        let chunk = shard.chunks.get(&ChunkId { inode, index });
        let overlay = chunk.and_then(|chunk| chunk.overlay.as_ref());
        overlay.is_some_and(|overlay| overlay.dirty_bytes() > 0)
    })
}
