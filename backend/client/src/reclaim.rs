//! Frees the storage of removed files, in the background.
//!
//! The metadata service queues a removed file in the transaction that removes it; here the queue is drained:
//! list, remove on all targets, take off the queue. Nothing is kept in memory, each step may be repeated, and the
//! order makes sure that a file leaves the queue only when its chunks are gone, so it may be
//! stopped at any moment, and two may run at once.
//!
//! A file that cannot be freed (a target is away) stays queued. The list shows the oldest first, so the next
//! page is longer by as many as failed: those behind them get their turn. While nothing succeeds the
//! pause doubles.

use std::future::Future;
use std::time::Duration;

use futures::{StreamExt, stream};
use sluice_types::{FsError, InodeId};
use sluice_wire::meta::{CallContext, FinishRemovals, ListRemovals, MetadataExt, Removal};

use crate::Client;

/// Bounds and times of reclaiming.
#[derive(Clone, Copy, Debug)]
pub struct ReclaimConfig {
    /// Files listed at once, beside those that failed before.
    pub batch: u32,
    /// The longest list.
    pub batch_max: u32,
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
            batch_max: 4096,
            parallel: 8,
            deadline: Duration::from_secs(10),
            pause: Duration::from_millis(500),
            pause_max: Duration::from_secs(30),
        }
    }
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Round {
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
    let mut failed = 0;
    let mut pause = config.pause;
    loop {
        let round = round(client, config, failed).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the removal queue could not be read or shortened");
            Round { freed: 0, failed }
        });
        let progress = round.freed > 0;
        let idle = !progress && round.failed == 0 && failed == 0;
        failed = round.failed;
        if progress {
            pause = config.pause;
            continue;
        }
        tokio::time::sleep(pause).await;
        pause = if idle {
            config.pause
        } else {
            (pause * 2).min(config.pause_max)
        };
    }
}

async fn round(client: &Client, config: &ReclaimConfig, failed: usize) -> Result<Round, FsError> {
    let context = CallContext::internal();
    let before = u32::try_from(failed).unwrap_or(u32::MAX);
    let limit = config.batch.saturating_add(before).min(config.batch_max);
    let removals = client
        .meta()
        .run(&context, ListRemovals { limit })
        .await?
        .removals;
    let listed = removals.len();
    let frees = removals
        .into_iter()
        .map(|removal| free(client, config.deadline, removal));
    let frees = stream::iter(frees).buffer_unordered(config.parallel.max(1));
    let inodes: Vec<InodeId> = frees
        .filter_map(|freed| async move { freed })
        .collect()
        .await;
    let freed = inodes.len();
    client.metrics.reclaimed(freed, listed - freed);
    if freed > 0 {
        client
            .meta()
            .run(&context, FinishRemovals { inodes })
            .await?;
    }
    Ok(Round {
        freed,
        failed: listed - freed,
    })
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
