//! A transaction over the overlay.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::state::{CommitRecord, State, Version};
use super::{Base, GroupCommit};
use crate::kv::{CommitPoint, Isolation, Key, KeyRange, KvError, Transaction, counter_value};

/// A transaction: what it read and when, and what it will write.
pub(in crate::kv) struct OverlayTransaction<B: Base> {
    shared: Arc<GroupCommit<B>>,
    /// The sequence at the start, where reads are checked at commit.
    began: Option<u64>,
    reads: Vec<(Key, u64)>,
    ranges: Vec<(KeyRange, u64)>,
    writes: BTreeMap<Key, Option<Bytes>>,
    additions: Vec<(Key, i64)>,
    /// The greatest sequence seen that was not durable when it was seen.
    seen: u64,
}

impl<B: Base> OverlayTransaction<B> {
    /// Starts a transaction; a serializable one is noted as running, so that the overlay keeps what it may
    /// conflict with.
    pub(super) fn begin(shared: &Arc<GroupCommit<B>>, isolation: Isolation) -> Self {
        let began = (isolation == Isolation::Serializable).then(|| {
            let mut state = shared.state.lock();
            let began = state.committed;
            *state.active.entry(began).or_default() += 1;
            began
        });
        Self {
            shared: Arc::clone(shared),
            began,
            reads: Vec::new(),
            ranges: Vec::new(),
            writes: BTreeMap::new(),
            additions: Vec::new(),
            seen: 0,
        }
    }

    /// The value under `key` in overlay or base.
    fn read(&mut self, key: &Key) -> Result<Option<Bytes>, KvError> {
        let state = self.shared.state.lock();
        let looked_at = state.committed;
        let found = state.overlay.get(key).map(|version| {
            if version.sequence > state.flushed {
                self.seen = self.seen.max(version.sequence);
            }
            version.value.clone()
        });
        drop(state);
        if self.began.is_some() {
            self.reads.push((key.clone(), looked_at));
        }
        match found {
            Some(value) => Ok(value),
            None => self.shared.base.get(key),
        }
    }

    /// What the overlay holds of `range`, and when that was.
    fn overlay_range(&mut self, range: &KeyRange) -> (BTreeMap<Key, Option<Bytes>>, u64) {
        let state = self.shared.state.lock();
        let mut found = BTreeMap::new();
        let bounds = (Bound::Included(&range.start), Bound::Excluded(&range.end));
        for (key, version) in state.overlay.range::<Key, _>(bounds) {
            if version.sequence > state.flushed {
                self.seen = self.seen.max(version.sequence);
            }
            found.insert(key.clone(), version.value.clone());
        }
        (found, state.committed)
    }

    /// The reads that no longer hold make a conflict. Called with the state locked.
    fn conflicts(&self, state: &State) -> bool {
        self.reads
            .iter()
            .any(|(key, sequence)| state.changed_since(key, *sequence))
            || self
                .ranges
                .iter()
                .any(|(range, sequence)| state.range_changed_since(range, *sequence))
    }

    /// Counters to be changed, with the values they had when nobody has counted on them since the start.
    fn counter_bases(&self) -> Result<HashMap<Key, i64>, KvError> {
        let mut bases = HashMap::new();
        for (key, _) in &self.additions {
            if self.shared.state.lock().counters.contains_key(key) {
                continue;
            }
            // Only before the first addition to it since the start, so no overlay entry can be newer.
            let value = self.shared.base.get(key)?;
            bases.insert(key.clone(), counter_value(value.as_deref()));
        }
        Ok(bases)
    }

    fn apply_additions(&mut self, state: &mut State, bases: &HashMap<Key, i64>) {
        for (key, delta) in std::mem::take(&mut self.additions) {
            let base = bases.get(&key).copied().unwrap_or_default();
            let value = state.counters.entry(key.clone()).or_insert(base);
            *value = value.saturating_add(delta);
            let bytes = Bytes::copy_from_slice(&value.to_le_bytes());
            self.writes.insert(key, Some(bytes));
        }
    }
}

#[async_trait]
impl<B: Base> Transaction for OverlayTransaction<B> {
    async fn get(&mut self, key: &Key) -> Result<Option<Bytes>, KvError> {
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        self.read(key)
    }

    async fn range(
        &mut self,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Key, Bytes)>, KvError> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let (mut upper, looked_at) = self.overlay_range(range);
        for (key, value) in &self.writes {
            if key >= &range.start && key < &range.end {
                upper.insert(key.clone(), value.clone());
            }
        }
        // Enough of the base to fill the limit even if the upper layers remove pairs of it.
        let removals = upper.values().filter(|value| value.is_none()).count();
        let lower = self
            .shared
            .base
            .range(range, limit.saturating_add(removals))?;
        let found = merge(lower, upper, limit);
        if self.began.is_some() {
            // What lies beyond the last pair of a full page was not asked for.
            let full = found.len() == limit;
            let end = match found.last() {
                Some((last, _)) if full => last.clone().successor(),
                _ => range.end.clone(),
            };
            let read = KeyRange::new(range.start.clone(), end);
            self.ranges.push((read, looked_at));
        }
        Ok(found)
    }

    fn put(&mut self, key: Key, value: Bytes) {
        debug_assert!(self.began.is_some(), "a Latest transaction only reads");
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: Key) {
        debug_assert!(self.began.is_some(), "a Latest transaction only reads");
        self.writes.insert(key, None);
    }

    fn add(&mut self, key: Key, delta: i64) {
        debug_assert!(self.began.is_some(), "a Latest transaction only reads");
        self.additions.push((key, delta));
    }

    fn discard_writes(&mut self) {
        self.writes.clear();
        self.additions.clear();
    }

    async fn commit(mut self: Box<Self>) -> Result<CommitPoint, KvError> {
        let only_reads = self.writes.is_empty() && self.additions.is_empty();
        if only_reads && self.reads.len() + self.ranges.len() <= 1 {
            // A single read needs nothing to fit to.
            return Ok(CommitPoint::new(self.seen));
        }
        let shared = Arc::clone(&self.shared);
        if !only_reads {
            shared.wait_for_room().await?;
        }
        let bases = self.counter_bases()?;
        let mut state = shared.state.lock();
        state.check_usable()?;
        if self.conflicts(&state) {
            return Err(KvError::Conflict);
        }
        if only_reads {
            return Ok(CommitPoint::new(self.seen));
        }
        self.apply_additions(&mut state, &bases);
        state.committed += 1;
        let sequence = state.committed;
        let mut keys = Vec::with_capacity(self.writes.len());
        for (key, value) in std::mem::take(&mut self.writes) {
            keys.push(key.clone());
            state.overlay.insert(key, Version { sequence, value });
        }
        state.commits.push_back(CommitRecord { sequence, keys });
        let wakes = sequence >= state.wake_at;
        drop(state);
        if wakes {
            shared.work.notify_one();
        }
        Ok(CommitPoint::new(sequence))
    }
}

impl<B: Base> Drop for OverlayTransaction<B> {
    fn drop(&mut self) {
        if let Some(began) = self.began {
            self.shared.state.lock().ended(began);
        }
    }
}

/// The first `limit` pairs of both layers; the upper one wins, and removes where it has `None`.
fn merge(
    lower: Vec<(Key, Bytes)>,
    upper: BTreeMap<Key, Option<Bytes>>,
    limit: usize,
) -> Vec<(Key, Bytes)> {
    if upper.is_empty() {
        let mut lower = lower;
        lower.truncate(limit);
        return lower;
    }
    let mut merged: BTreeMap<Key, Option<Bytes>> = lower
        .into_iter()
        .map(|(key, value)| (key, Some(value)))
        .collect();
    merged.extend(upper);
    let present = merged
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key, value)));
    present.take(limit).collect()
}
