//! Serializable transactions and shared flushes over any store that can apply a batch durably.
//!
//! Commits are kept in memory, in an *overlay* over the base store, until a flush has made them durable:
//!
//! * A commit checks what it read, puts its writes into the overlay and is visible: some microseconds under
//!   one mutex, never any I/O.
//! * A flush takes the newest value of every key that changed since the last one, has the base apply them as
//!   one atomic and durable batch, and only then moves the durable point. Commits that come meanwhile
//!   gather for the next flush: the slower the disk, the more of them share one. A directory into which
//!   a thousand files were made between two flushes is written once.
//! * So the base never holds anything that is not durable, and an overlay entry whose sequence is beyond the
//!   durable point is exactly what a power cut could take back. Reads note the greatest such
//!   sequence they saw: that is the commit point of a reader.
//!
//! Conflicts: each read notes the sequence at which it looked. At commit, a key (or any key within a
//! range) with a later sequence in the overlay is a conflict. Overlay entries stay, even when
//! durable, while a transaction is running that began before them; so the overlay holds all there is to know.
//! A transaction needs no snapshot: if all of its reads still hold at its commit, it is as if it had run
//! then; if it saw a mixture, one of its reads no longer holds.
//!
//! Memory: the writes of commits since the last flush, plus those made while the oldest transaction runs. The
//! service bounds both by the number of operations it lets in at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::{CommitPoint, Isolation, Key, KeyRange, KvError, Transaction, counter_value};

/// A pair to be written; `None` removes the key.
pub(super) type BatchEntry = (Key, Option<Bytes>);

/// The store below the overlay.
pub(super) trait Base: Send + Sync + fmt::Debug + 'static {
    /// The value under `key`.
    fn get(&self, key: &Key) -> Result<Option<Bytes>, KvError>;

    /// The first `limit` pairs of `range`, ascending.
    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Bytes)>, KvError>;

    /// Writes all of `batch` (each key at most once) or nothing; durable when it returns.
    fn apply(&self, batch: Vec<BatchEntry>) -> Result<(), KvError>;
}

/// What a key was last set to by a commit that the overlay still holds.
#[derive(Debug)]
struct Version {
    sequence: u64,
    value: Option<Bytes>,
}

/// A commit that the overlay still holds.
#[derive(Debug)]
struct CommitRecord {
    sequence: u64,
    keys: Vec<Key>,
}

#[derive(Debug, Default)]
struct State {
    /// The newest commit.
    committed: u64,
    /// Everything up to here is in the base.
    flushed: u64,
    overlay: BTreeMap<Key, Version>,
    /// Oldest first.
    commits: VecDeque<CommitRecord>,
    /// For each sequence at which running transactions began: how many.
    active: BTreeMap<u64, usize>,
    /// Values of counters, newest; few, and kept for good.
    counters: HashMap<Key, i64>,
    failed: Option<String>,
    closed: bool,
    /// The commit that wakes the flusher.
    wake_at: u64,
}

/// How far flushing got, as waiters see it.
#[derive(Debug, Default)]
struct Progress {
    flushed: u64,
    failed: Option<String>,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flushed {
    /// The commits that it made durable.
    pub(super) commits: u64,
}

/// The overlay over a base, shared by an engine and its transactions.
#[derive(Debug)]
pub(super) struct GroupCommit<B> {
    base: B,
    state: Mutex<State>,
    /// Held during a flush: one at a time.
    flushing: Mutex<()>,
    /// Told of the commit that the flusher waits for, and of the end.
    work: Condvar,
    progress: watch::Sender<Progress>,
    flushes: AtomicU64,
}

impl<B: Base> GroupCommit<B> {
    pub(super) fn new(base: B) -> Self {
        Self {
            base,
            state: Mutex::default(),
            flushing: Mutex::default(),
            work: Condvar::new(),
            progress: watch::Sender::default(),
            flushes: AtomicU64::new(0),
        }
    }

    pub(super) fn base(&self) -> &B {
        &self.base
    }

    pub(super) fn begin(self: &Arc<Self>, isolation: Isolation) -> OverlayTransaction<B> {
        let began = (isolation == Isolation::Serializable).then(|| {
            let mut state = self.state.lock();
            let began = state.committed;
            *state.active.entry(began).or_default() += 1;
            began
        });
        OverlayTransaction {
            shared: Arc::clone(self),
            began,
            reads: Vec::new(),
            ranges: Vec::new(),
            writes: BTreeMap::new(),
            additions: Vec::new(),
            seen: 0,
        }
    }

    pub(super) fn is_durable(&self, point: CommitPoint) -> bool {
        point.sequence() == 0 || self.state.lock().flushed >= point.sequence()
    }

    /// Waits until another flush, or failure, covers `point`.
    pub(super) async fn wait_flushed(&self, point: CommitPoint) -> Result<(), KvError> {
        let mut progress = self.progress.subscribe();
        let done =
            |progress: &Progress| progress.flushed >= point.sequence() || progress.failed.is_some();
        match progress.wait_for(done).await {
            Ok(progress) if progress.flushed >= point.sequence() => Ok(()),
            Ok(progress) => Err(KvError::Failed {
                reason: progress.failed.clone().unwrap_or_default(),
            }),
            Err(_) => Err(KvError::Failed {
                reason: "the engine was closed".into(),
            }),
        }
    }

    /// Makes everything committed so far durable. Blocks for as long as the base takes.
    pub(super) fn flush(&self) -> Result<Flushed, KvError> {
        let _one_at_a_time = self.flushing.lock();
        let (batch, from, to) = self.unflushed_batch()?;
        if from == to {
            return Ok(Flushed { commits: 0 });
        }
        if let Err(error) = self.base.apply(batch) {
            tracing::error!(%error, "a flush failed; the metadata store takes no more commits");
            self.mark_failed(&error.to_string());
            return Err(error);
        }
        self.flushes.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.flushed = to;
        state.prune();
        drop(state);
        self.progress.send_modify(|progress| progress.flushed = to);
        Ok(Flushed { commits: to - from })
    }

    /// How many flushes there were that had something to do.
    pub(super) fn flush_count(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// Why no more commits are taken.
    pub(super) fn failure(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }

    /// Blocks until there are commits to flush (true) or the engine is closed (false).
    ///
    /// Those who were woken by the last flush tend to be back with their next commit in no time. A flush that
    /// went off with the first of them would leave all others to the next one, and take turns like that
    /// for ever; so it waits for as many as the last one had, for at most `patience`.
    pub(super) fn wait_for_commits(&self, last: Flushed, patience: Duration) -> bool {
        let mut state = self.state.lock();
        state.wake_at = state.flushed + 1;
        while !state.closed && !state.has_unflushed() {
            self.work.wait(&mut state);
        }
        if !state.closed && state.committed < state.flushed + last.commits {
            state.wake_at = state.flushed + last.commits;
            self.work.wait_for(&mut state, patience);
        }
        // Nobody needs to wake who is not asleep.
        state.wake_at = u64::MAX;
        !state.closed
    }

    /// Ends [`Self::wait_for_commits`] for good.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_all();
    }

    /// Takes no more commits, and lets nobody wait for those that are not durable.
    pub(super) fn fail(&self, reason: &str) {
        let _no_flush_meanwhile = self.flushing.lock();
        self.mark_failed(reason);
    }

    /// The newest values of all that is not durable, and the sequences it spans.
    fn unflushed_batch(&self) -> Result<(Vec<BatchEntry>, u64, u64), KvError> {
        let state = self.state.lock();
        state.check_usable()?;
        let batch = state
            .overlay
            .iter()
            .filter(|(_, version)| version.sequence > state.flushed)
            .map(|(key, version)| (key.clone(), version.value.clone()))
            .collect();
        Ok((batch, state.flushed, state.committed))
    }

    fn mark_failed(&self, reason: &str) {
        self.state.lock().failed = Some(reason.to_owned());
        self.progress
            .send_modify(|progress| progress.failed = Some(reason.to_owned()));
    }
}

impl State {
    /// Drops commits that are durable and that no running transaction can conflict with.
    fn prune(&mut self) {
        let oldest = self.active.keys().next().copied().unwrap_or(u64::MAX);
        let horizon = self.flushed.min(oldest);
        while let Some(commit) = self.commits.front()
            && commit.sequence <= horizon
        {
            for key in &commit.keys {
                if self
                    .overlay
                    .get(key)
                    .is_some_and(|version| version.sequence <= horizon)
                {
                    self.overlay.remove(key);
                }
            }
            self.commits.pop_front();
        }
    }

    fn has_unflushed(&self) -> bool {
        self.committed > self.flushed && self.failed.is_none()
    }

    fn check_usable(&self) -> Result<(), KvError> {
        match &self.failed {
            None => Ok(()),
            Some(reason) => Err(KvError::Failed {
                reason: reason.clone(),
            }),
        }
    }

    fn ended(&mut self, began: u64) {
        if let Some(count) = self.active.get_mut(&began) {
            *count -= 1;
            if *count == 0 {
                self.active.remove(&began);
            }
        }
    }

    fn changed_since(&self, key: &Key, sequence: u64) -> bool {
        let version = self.overlay.get(key);
        version.is_some_and(|version| version.sequence > sequence)
    }

    fn range_changed_since(&self, range: &KeyRange, sequence: u64) -> bool {
        !range.is_empty()
            && self
                .overlay
                .range::<Key, _>((
                    std::ops::Bound::Included(&range.start),
                    std::ops::Bound::Excluded(&range.end),
                ))
                .any(|(_, version)| version.sequence > sequence)
    }
}

/// A transaction over the overlay.
pub(super) struct OverlayTransaction<B: Base> {
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
        let bounds = (
            std::ops::Bound::Included(&range.start),
            std::ops::Bound::Excluded(&range.end),
        );
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
        let bases = self.counter_bases()?;
        let shared = Arc::clone(&self.shared);
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

#[cfg(test)]
mod tests;
