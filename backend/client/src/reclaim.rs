//! Frees the storage of removed files, in the background.
//!
//! The metadata service queues a removed file in the transaction that removes it; here the queue is drained:
//! list, remove on all targets, take off the queue. Nothing is kept in memory, each step may be repeated, and the
//! order makes sure that a file leaves the queue only when its chunks are gone, so it may be
//! stopped at any moment, and two may run at once.
//!
//! A file that cannot be freed (a target is away) stays queued, and the next page begins behind it: so those that can be
//! freed get their turn, and the rest is tried again in the next pass over the queue. While passes free less than
//! stays, the pause between them doubles.

use std::future::Future;
use std::time::Duration;

use futures::{StreamExt, stream};
use sluice_types::{FsError, InodeId};
use sluice_wire::meta::{CallContext, FinishRemovals, ListRemovals, MetadataExt, Removal};

use crate::Client;

/// Bounds and times of reclaiming.
#[derive(Clone, Copy, Debug)]
pub struct ReclaimConfig {
    /// Files listed at once.
    pub batch: u32,
    /// Files freed at once.
    pub parallel: usize,
    /// How long freeing one file may take.
    pub deadline: Duration,
    /// How long to wait when the queue is empty, and at first when nothing could be freed.
    pub pause: Duration,
    /// The longest wait when nothing could be freed.
    pub pause_max: Duration,
}

impl Default for ReclaimConfig {
    fn default() -> Self {
        Self {
            batch: 64,
            parallel: 8,
            deadline: Duration::from_secs(10),
            pause: Duration::from_millis(500),
            pause_max: Duration::from_secs(30),
        }
    }
}

/// What a pass over the queue did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pass {
    freed: usize,
    failed: usize,
}

/// Drains the removal queue until `shutdown` completes.
pub fn run(
    client: &Client,
    config: ReclaimConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> impl Future<Output = ()> + Send {
    // Not an `async fn`: that it may move between threads is shown here, where all lifetimes are seen, and not left
    // to each caller's compiler.
    drain_until(client, config, shutdown)
}

async fn drain_until(
    client: &Client,
    config: ReclaimConfig,
    shutdown: impl Future<Output = ()> + Send,
) {
    tokio::select! {
        () = drain(client, &config) => {}
        () = shutdown => {}
    }
}

async fn drain(client: &Client, config: &ReclaimConfig) {
    let mut pause = config.pause;
    loop {
        let mut pass = Pass::default();
        if let Err(error) = pass.run(client, config).await {
            tracing::warn!(%error, "the removal queue could not be read or shortened");
            pass.failed += 1;
        }
        let stuck = pass.failed > pass.freed;
        tokio::time::sleep(pause).await;
        pause = if stuck {
            (pause * 2).min(config.pause_max)
        } else {
            config.pause
        };
    }
}

impl Pass {
    /// Goes over the whole queue, page by page.
    async fn run(&mut self, client: &Client, config: &ReclaimConfig) -> Result<(), FsError> {
        let context = CallContext::internal();
        // A session that ended before a file was removed must not write to it after it was freed.
        client.renew_session().await?;
        let limit = config.batch.max(1);
        // The last file that stays: all before it were tried.
        let mut after = None;
        loop {
            let list = ListRemovals { after, limit };
            let removals = client.meta().run(&context, list).await?.removals;
            let is_last = removals.len() < limit as usize;
            let listed: Vec<InodeId> = removals.iter().map(|removal| removal.inode).collect();
            let inodes = free_all(client, config, removals).await;
            after = listed
                .iter()
                .rfind(|inode| !inodes.contains(inode))
                .copied()
                .or(after);
            let failed = listed.len() - inodes.len();
            client.metrics.reclaimed(inodes.len(), failed);
            self.freed += inodes.len();
            self.failed += failed;
            if !inodes.is_empty() {
                client
                    .meta()
                    .run(&context, FinishRemovals { inodes })
                    .await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

/// Frees files, several at a time; gives those that are freed.
async fn free_all(client: &Client, config: &ReclaimConfig, removals: Vec<Removal>) -> Vec<InodeId> {
    let frees = removals
        .into_iter()
        .map(|removal| free(client, config.deadline, removal));
    stream::iter(frees)
        .buffer_unordered(config.parallel.max(1))
        .filter_map(|freed| async move { freed })
        .collect()
        .await
}

/// Frees one file; its number if that was done.
async fn free(client: &Client, deadline: Duration, removal: Removal) -> Option<InodeId> {
    match client
        .remove_within(deadline, removal.inode, &removal.layout)
        .await
    {
        Ok(()) => Some(removal.inode),
        Err(error) => {
            tracing::warn!(inode = %removal.inode, %error, "a removed file is not freed yet");
            None
        }
    }
}

#[cfg(test)]
mod tests;
