//! Removing old replies, in the background.
//!
//! A reply leaves the index only when the removal of its record is committed: as long as a call is in the index, it is
//! not carried out again, so no new record of it can meet the removal of the old one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Replies;
use crate::error::MetaError;
use crate::kv::{Isolation, KvError};
use crate::records::keys;

/// So many records are removed in one transaction.
const BATCH: usize = 1024;

/// So many replies may be kept beyond the limit while the oldest are being removed; then calls wait for that.
const SURPLUS_MAX: usize = 65_536;

/// Replies are removed so long after they expired unless somebody asks before: so that many go at once.
const LAG: Duration = Duration::from_secs(5);

impl Replies {
    /// Removes what is due to be removed, in a task of its own; one at a time.
    pub fn prune_soon(self: &Arc<Self>) {
        let now = self.clock.monotonic();
        if !self.is_prunable(now) || self.is_pruning.swap(true, Ordering::AcqRel) {
            return;
        }
        let replies = Arc::clone(self);
        tokio::spawn(async move {
            let pruned = replies.prune().await;
            replies.is_pruning.store(false, Ordering::Release);
            if let Err(error) = pruned {
                tracing::warn!(%error, "old replies could not be removed");
            }
        });
    }

    /// What each call that is to be recorded does for it: as a rule only looks.
    pub(super) async fn make_room(self: &Arc<Self>) -> Result<(), MetaError> {
        let (count, is_late) = {
            let calls = self.calls.lock();
            let now = self.clock.monotonic().saturating_sub(LAG);
            (calls.recorded.len(), calls.recorded.has_expired(now))
        };
        if count > self.count_max.saturating_add(SURPLUS_MAX) {
            return self.prune().await;
        }
        if count > self.count_max || is_late {
            self.prune_soon();
        }
        Ok(())
    }

    /// Removes what is due to be removed.
    pub(super) async fn prune(&self) -> Result<(), MetaError> {
        let _one_at_a_time = self.pruning.lock().await;
        loop {
            let now = self.clock.monotonic();
            let batch = {
                let calls = self.calls.lock();
                calls.recorded.prunable(now, self.count_max, BATCH)
            };
            if batch.is_empty() {
                return Ok(());
            }
            let mut transaction = self.engine.begin(Isolation::Serializable);
            for call in &batch {
                transaction.delete(keys::reply(*call));
            }
            match transaction.commit().await {
                Ok(_) => self.forget_oldest(batch.len()),
                // Only an engine that refuses blind writes could say so.
                Err(KvError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::task::yield_now().await;
        }
    }

    fn is_prunable(&self, now: Duration) -> bool {
        let calls = self.calls.lock();
        calls.recorded.len() > self.count_max || calls.recorded.has_expired(now)
    }

    fn forget_oldest(&self, count: usize) {
        let mut calls = self.calls.lock();
        calls.recorded.forget_oldest(count);
        self.metrics.kept.set(calls.recorded.len() as f64);
    }
}
