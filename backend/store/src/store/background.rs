//! Work nobody waits for: writing old data to slabs, compacting the log, growing ahead of need.
//!
//! The tasks hold the store weakly, so a store that is dropped ends them.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sluice_types::InodeId;
use tokio::task::{JoinHandle, JoinSet};

use super::Store;
use crate::StoreError;
use crate::ops::FLUSHES_MAX;

/// How often the background looks, if nothing wakes it.
const TICK: Duration = Duration::from_secs(1);
/// Data older than this is written to slabs even if there is room.
const DIRTY_AGE_MAX: Duration = Duration::from_secs(5);
/// Pause after a failed background flush.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Files with data in memory and since when, oldest first. Each file is in it once, so it is bounded by the
/// data in memory.
#[derive(Debug, Default)]
pub(crate) struct FlushQueue {
    files: VecDeque<(InodeId, Duration)>,
}

impl FlushQueue {
    pub(crate) fn push(&mut self, inode: InodeId, now: Duration) {
        self.files.push_back((inode, now));
    }

    /// The oldest file, if it is from before `until`.
    fn pop(&mut self, until: Duration) -> Option<InodeId> {
        let &(inode, since) = self.files.front()?;
        if since > until {
            return None;
        }
        self.files.pop_front();
        Some(inode)
    }
}

pub(super) fn spawn_background(
    store: &Arc<Store>,
    writer: impl Future<Output = ()> + Send + 'static,
) -> Vec<JoinHandle<()>> {
    vec![
        tokio::spawn(writer),
        tokio::spawn(flush_loop(Arc::downgrade(store))),
        tokio::spawn(maintain_loop(Arc::downgrade(store))),
    ]
}

async fn flush_loop(store: Weak<Store>) {
    let mut flushes = JoinSet::new();
    loop {
        let Some(store) = store.upgrade() else {
            return;
        };
        if store.failure.check().is_err() {
            return;
        }
        let now = store.clock.monotonic();
        while flushes.len() < FLUSHES_MAX {
            let until = if store.budget.is_under_pressure() {
                now
            } else {
                now.saturating_sub(DIRTY_AGE_MAX)
            };
            let Some(inode) = store.flush_queue.lock().pop(until) else {
                break;
            };
            flushes.spawn(flush_in_background(Arc::clone(&store), inode));
        }
        let budget = Arc::clone(&store.budget);
        drop(store);
        if flushes.is_empty() {
            // Woken or not: look.
            let _ = tokio::time::timeout(TICK, budget.pressure.notified()).await;
        } else {
            flushes.join_next().await;
        }
    }
}

async fn flush_in_background(store: Arc<Store>, inode: InodeId) {
    store.index.shard(inode).note_dequeued(inode);
    if store.flush_file(inode).await.is_err() {
        // Counted and logged where it happened. The data is still there: try again later.
        tokio::time::sleep(RETRY_PAUSE).await;
        store.requeue(inode);
    }
}

async fn maintain_loop(store: Weak<Store>) {
    loop {
        let Some(strong) = store.upgrade() else {
            return;
        };
        if strong.failure.check().is_err() {
            strong.metrics.failed.set(1.0);
            strong.budget.wake_all();
            return;
        }
        if let Err(error) = maintain(&strong).await {
            tracing::error!(target_label = strong.config.label, %error, "background work failed");
        }
        let log = Arc::clone(&strong.log);
        drop(strong);
        // Woken or not: look.
        let _ = tokio::time::timeout(TICK, log.rolled.notified()).await;
    }
}

async fn maintain(store: &Arc<Store>) -> Result<(), StoreError> {
    store.publish_gauges().await?;
    let compacted = compact(store).await;
    // Also if that failed: only this notices that there is space for the log again.
    let prepared = store.log.prepare_spare().await;
    compacted.and(prepared)?;
    let usage = store.allocator.usage();
    let slab_blocks = u64::from(store.allocator.slab_blocks());
    let available = usage.free.saturating_sub(usage.reserved);
    if usage.total > 0 && available < slab_blocks / 4 {
        let seen = store.allocator.slab_count();
        match store.slabs.grow(seen, store.log_headroom_bytes()).await {
            // A full disk is the writers' to notice.
            Ok(()) | Err(StoreError::NoSpace) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn compact(store: &Arc<Store>) -> Result<(), StoreError> {
    while store.needs_compaction() && store.compact_oldest().await? {}
    Ok(())
}

impl Store {
    /// Queues the file for the background flusher again if it has data in memory.
    pub(crate) fn requeue(&self, inode: InodeId) {
        let mut shard = self.index.shard(inode);
        if let Some(&index) = shard.overlaid(inode).first() {
            let chunk = sluice_types::ChunkId { inode, index };
            if shard.note_overlaid(chunk) {
                self.flush_queue.lock().push(inode, self.clock.monotonic());
            }
        }
    }

    async fn publish_gauges(&self) -> Result<(), StoreError> {
        let space = self.statfs().await?;
        self.metrics.capacity_bytes.set(space.capacity_bytes as f64);
        self.metrics.used_bytes.set(space.used_bytes as f64);
        self.metrics.dirty_bytes.set(self.budget.used() as f64);
        self.metrics.log_bytes.set(self.log.size().0 as f64);
        Ok(())
    }
}
