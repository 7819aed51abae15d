//! A clean shutdown.

use std::sync::Arc;

use crate::{Store, StoreError};

impl Store {
    /// Writes all data in memory to slabs.
    ///
    /// # Errors
    /// The first [`StoreError`] met; the rest is written all the same.
    pub async fn flush_all(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut result = Ok(());
        let mut inodes = Vec::new();
        for shard in self.index.shards() {
            inodes.extend(shard.overlaid_files());
        }
        for inode in inodes {
            result = result.and(self.flush_file(inode).await);
        }
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
