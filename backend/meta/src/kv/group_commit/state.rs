//! What the overlay holds, all under one mutex.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;

use bytes::Bytes;

use super::{Key, KeyRange, KvError};

/// What a key was last set to by a commit that the overlay still holds.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) sequence: u64,
    pub(super) value: Option<Bytes>,
}

/// A commit that the overlay still holds.
#[derive(Debug)]
pub(super) struct CommitRecord {
    pub(super) sequence: u64,
    pub(super) keys: Vec<Key>,
}

/// The overlay, and how far commits and flushes got.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The newest commit.
    pub(super) committed: u64,
    /// Everything up to here is in the base.
    pub(super) flushed: u64,
    pub(super) overlay: BTreeMap<Key, Version>,
    /// Oldest first.
    pub(super) commits: VecDeque<CommitRecord>,
    /// For each sequence at which running transactions began: how many.
    pub(super) active: BTreeMap<u64, usize>,
    /// Values of counters, newest; few, and kept for good.
    pub(super) counters: HashMap<Key, i64>,
    pub(super) failed: Option<String>,
    pub(super) closed: bool,
    /// The commit that wakes the flusher.
    pub(super) wake_at: u64,
}

impl State {
    /// Drops commits that are durable and that no running transaction can conflict with.
    pub(super) fn prune(&mut self) {
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

    /// Whether there is something to flush.
    pub(super) fn has_unflushed(&self) -> bool {
        self.committed > self.flushed && self.failed.is_none()
    }

    /// Refuses all once a flush has failed.
    pub(super) fn check_usable(&self) -> Result<(), KvError> {
        match &self.failed {
            None => Ok(()),
            Some(reason) => Err(KvError::Failed {
                reason: reason.clone(),
            }),
        }
    }

    /// Notes that a transaction ended which began at `began`.
    pub(super) fn ended(&mut self, began: u64) {
        if let Some(count) = self.active.get_mut(&began) {
            *count -= 1;
            if *count == 0 {
                self.active.remove(&began);
            }
        }
    }

    /// Whether `key` was set by a commit after `sequence`.
    pub(super) fn changed_since(&self, key: &Key, sequence: u64) -> bool {
        let version = self.overlay.get(key);
        version.is_some_and(|version| version.sequence > sequence)
    }

    /// Whether any key of `range` was.
    pub(super) fn range_changed_since(&self, range: &KeyRange, sequence: u64) -> bool {
        !range.is_empty()
            && self
                .overlay
                .range::<Key, _>((Bound::Included(&range.start), Bound::Excluded(&range.end)))
                .any(|(_, version)| version.sequence > sequence)
    }
}
