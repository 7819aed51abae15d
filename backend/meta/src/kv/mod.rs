//! The ordered key-value store that everything durable in the metadata service lives in.
//!
//! The store is small on purpose: point reads, forward ranges, writes and counters in transactions,
//! so that other engines (PostgreSQL, etcd) can stand in its place. What every engine promises, and
//! what `conformance` checks of each:
//!
//! * **Serializable.** A transaction that commits in [`Isolation::Serializable`] saw the store as it was
//!   at the moment of its commit. Otherwise it fails with [`KvError::Conflict`], nothing of it is kept,
//!   and the caller runs it again.
//! * **Commit, then durable.** A commit is visible to later transactions at once, and durable when
//!   [`Engine::durable`] returns for its [`CommitPoint`]. In between, many commits share one flush.
//!   Commits become durable in their order: one that survives a power cut has all earlier ones beside
//!   it.
//! * **Readers know.** The commit point of a transaction that only read covers everything it saw, so that
//!   waiting for it before replying means that no reply shows what a power cut could take back. Where
//!   nothing fresh was seen, that wait is over before it starts.
//! * **Counters do not conflict.** [`Transaction::add`] changes a counter without reading it, so that a count
//!   kept by every transaction serialises none of them.

#[cfg(test)]
mod conformance;
mod embedded;
mod error;
mod group_commit;
mod journal_tail;
mod key;
mod memory;
mod snapshot;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use embedded::{EmbeddedEngine, EmbeddedOptions};
pub use error::KvError;
pub use journal_tail::torn_batch_start;
pub use key::{Key, KeyRange};
pub use memory::MemoryEngine;

/// A place in the order of commits. Everything up to it is durable when [`Engine::durable`] says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitPoint(u64);

impl CommitPoint {
    /// Before the first commit: always durable.
    pub const START: Self = Self(0);

    /// Wraps an engine's own sequence number.
    pub const fn new(sequence: u64) -> Self {
        Self(sequence)
    }

    /// The engine's own sequence number.
    pub const fn sequence(self) -> u64 {
        self.0
    }
}

/// How a transaction's reads fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// All reads hold at the moment of the commit.
    Serializable,
    /// Each read shows the newest commit when it was made; they need not fit together, and never
    /// conflict. For single reads, listings and counts; writes are not allowed.
    Latest,
}

/// An ordered key-value store with serializable transactions.
#[async_trait]
pub trait Engine: Send + Sync + fmt::Debug {
    /// Starts a transaction.
    fn begin(&self, isolation: Isolation) -> Box<dyn Transaction>;

    /// Whether everything up to `point` is durable already.
    fn is_durable(&self, point: CommitPoint) -> bool;

    /// Waits until everything up to `point` is durable.
    ///
    /// # Errors
    /// [`KvError::Failed`] if the engine failed to make it so; then it is not known what survives, and the engine
    /// takes no more commits.
    async fn durable(&self, point: CommitPoint) -> Result<(), KvError>;

    /// Why the engine takes no more commits; `None` while all is well. It stays failed until it is opened
    /// again.
    fn failure(&self) -> Option<String>;

    /// What is durable now, as a store that stays so: for reads that take long and must fit together. Every commit is in it
    /// wholly or not at all.
    fn snapshot(&self) -> Arc<dyn Engine>;

    /// Whether so little space is left that the store should not grow; removing things still works.
    fn is_low_on_space(&self) -> bool {
        false
    }
}

/// A transaction. Dropping it without [`Transaction::commit`] undoes it.
#[async_trait]
pub trait Transaction: Send {
    /// The value under `key`, with this transaction's own writes.
    async fn get(&mut self, key: &Key) -> Result<Option<Bytes>, KvError>;

    /// The values under `keys`, in their order.
    async fn get_many(&mut self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, KvError> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.get(key).await?);
        }
        Ok(values)
    }

    /// The first `limit` pairs of `range` in ascending order, with this transaction's own writes.
    async fn range(&mut self, range: &KeyRange, limit: usize)
    -> Result<Vec<(Key, Bytes)>, KvError>;

    /// Sets `key` to `value`.
    fn put(&mut self, key: Key, value: Bytes);

    /// Removes `key`.
    fn delete(&mut self, key: Key);

    /// Adds to the counter under `key`: eight bytes, little-endian, signed; absent means zero. Not visible to this
    /// transaction's own reads.
    fn add(&mut self, key: Key, delta: i64);

    /// Forgets all writes, keeping what was read: for a refusal, which must have been right too.
    fn discard_writes(&mut self);

    /// Makes the writes visible, all or none.
    ///
    /// # Errors
    /// [`KvError::Conflict`] if something that was read has changed since.
    async fn commit(self: Box<Self>) -> Result<CommitPoint, KvError>;
}

/// Decodes a counter's value; absent means zero, and so does a value of a wrong length, which no
/// engine writes.
pub fn counter_value(value: Option<&[u8]>) -> i64 {
    let bytes = value.and_then(|value| value.try_into().ok());
    bytes.map_or(0, i64::from_le_bytes)
}
