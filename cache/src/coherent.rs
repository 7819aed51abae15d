//! A bounded map in memory whose entries are valid until someone says that they change.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use foyer::{Cache, CacheBuilder, S3FifoConfig};

use crate::epochs::{Change, Epochs, Ticket};
use crate::metrics::LookupMetrics;

/// A bounded map whose entries are dropped by whoever changes what they stand for; see [`Change`].
pub struct Coherent<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    entries: Cache<K, V>,
    epochs: Arc<Epochs>,
    metrics: LookupMetrics,
}

impl<K, V> fmt::Debug for Coherent<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coherent")
            .field("used_bytes", &self.used_bytes())
            .finish_non_exhaustive()
    }
}

impl<K, V> Coherent<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty map that holds at most `budget_bytes`, of which each entry takes what `weigh` says.
    pub(crate) fn new(
        budget_bytes: u64,
        metrics: LookupMetrics,
        weigh: impl Fn(&K, &V) -> usize + Send + Sync + 'static,
    ) -> Self {
        let shards = (budget_bytes / (1024 * 1024)).clamp(1, 64) as usize;
        let entries = CacheBuilder::new(budget_bytes as usize)
            .with_shards(shards.next_power_of_two())
            .with_eviction_config(S3FifoConfig::default())
            .with_weighter(weigh)
            .build();
        Self {
            entries,
            epochs: Epochs::new(),
            metrics,
        }
    }

    /// What is remembered of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        let value = self.entries.get(key).map(|entry| entry.value().clone());
        self.metrics.looked_up(value.is_some());
        value
    }

    /// To be taken before the value of `key` is asked for elsewhere.
    pub fn ticket(&self, key: &K) -> Ticket {
        self.epochs.ticket(key)
    }

    /// Remembers a value that was asked for after `ticket` was taken, unless the key was changed since.
    /// Whether it was remembered.
    pub fn insert(&self, ticket: Ticket, key: &K, value: V) -> bool {
        self.epochs.remember(ticket, || {
            drop(self.entries.insert(key.clone(), value));
        })
    }

    /// Says that `key` is about to change, until the result is dropped. Until then the old value may still be served:
    /// nobody was told yet that it changed.
    pub fn begin_change(&self, key: &K) -> Change {
        let stripe = self.epochs.begin(key);
        let (entries, key) = (self.entries.clone(), key.clone());
        let forget = Box::new(move || {
            entries.remove(&key);
        });
        Change::new(Arc::clone(&self.epochs), stripe, forget)
    }

    /// Says that `key` changed.
    pub fn invalidate(&self, key: &K) {
        drop(self.begin_change(key));
    }

    /// Says that every key may have changed.
    pub fn forget_all(&self) {
        self.epochs.advance_all();
        self.entries.clear();
    }

    /// Memory that entries take now, in bytes; never above the budget.
    pub fn used_bytes(&self) -> u64 {
        self.entries.usage() as u64
    }
}
