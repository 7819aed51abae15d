//! An engine in memory, for tests and simulations, with a power switch.
//!
//! No thread and no clock of its own: a flush is carried out by whoever waits for one, after it let
//! others run once, so that commits of tasks that run together share it. In a simulation on one
//! thread this is deterministic. [`MemoryEngine::hold_flushes`] stops flushing, so that a test can
//! look at what is committed but not durable; [`MemoryEngine::crash`] cuts the power.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::group_commit::{Base, BatchEntry, GroupCommit};
use super::{CommitPoint, Engine, Isolation, Key, KeyRange, KvError, Transaction};

/// An ordered key-value store in memory.
#[derive(Debug)]
pub struct MemoryEngine {
    shared: Arc<GroupCommit<MemoryBase>>,
    held: AtomicBool,
}

impl MemoryEngine {
    /// An empty store.
    pub fn new() -> Self {
        Self::over(BTreeMap::new())
    }

    /// Cuts the power: commits that were not durable are lost, and whoever waits for them gets an
    /// error. Gives the store as it is after the restart.
    #[must_use]
    pub fn crash(&self) -> Self {
        self.shared.fail("the power was cut");
        Self::over(self.shared.base().pairs.lock().clone())
    }

    /// Stops flushing (`true`), or lets it go on. Those who wait when it goes on are woken by the next flush.
    pub fn hold_flushes(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// Makes everything committed so far durable, even while flushes are held.
    ///
    /// # Errors
    /// [`KvError::Failed`] after a crash.
    pub fn flush(&self) -> Result<(), KvError> {
        self.shared.flush().map(|_| ())
    }

    /// How many flushes there were that had something to do.
    pub fn flush_count(&self) -> u64 {
        self.shared.flush_count()
    }

    fn over(pairs: BTreeMap<Key, Bytes>) -> Self {
        let base = MemoryBase {
            pairs: Mutex::new(pairs),
        };
        Self {
            shared: Arc::new(GroupCommit::new(base)),
            held: AtomicBool::new(false),
        }
    }
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Engine for MemoryEngine {
    fn begin(&self, isolation: Isolation) -> Box<dyn Transaction> {
        Box::new(self.shared.begin(isolation))
    }

    fn is_durable(&self, point: CommitPoint) -> bool {
        self.shared.is_durable(point)
    }

    async fn durable(&self, point: CommitPoint) -> Result<(), KvError> {
        if self.shared.is_durable(point) {
            return Ok(());
        }
        tokio::task::yield_now().await;
        if !self.held.load(Ordering::SeqCst) && !self.shared.is_durable(point) {
            self.shared.flush()?;
        }
        self.shared.wait_flushed(point).await
    }

    fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    fn snapshot(&self) -> Arc<dyn Engine> {
        Arc::new(Self::over(self.shared.base().pairs.lock().clone()))
    }
}

/// The durable part: what survives a crash.
#[derive(Debug)]
struct MemoryBase {
    pairs: Mutex<BTreeMap<Key, Bytes>>,
}

impl Base for MemoryBase {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, KvError> {
        Ok(self.pairs.lock().get(key).cloned())
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Bytes)>, KvError> {
        let pairs = self.pairs.lock();
        let found = pairs.range((
            std::ops::Bound::Included(&range.start),
            std::ops::Bound::Excluded(&range.end),
        ));
        Ok(found
            .take(limit)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect())
    }

    fn apply(&self, batch: Vec<BatchEntry>) -> Result<(), KvError> {
        let mut pairs = self.pairs.lock();
        for (key, value) in batch {
            match value {
                Some(value) => pairs.insert(key, value),
                None => pairs.remove(&key),
            };
        }
        Ok(())
    }
}
