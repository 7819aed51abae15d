//! Which replies are recorded, and which are the oldest.
//!
//! Memory for `n` replies: a hash set of 17 bytes for each of up to `16/7 n` places, and a queue of 24 bytes for each
//! of up to `2 n` places. For the two million that a service keeps by default that is at most 122 MB, while it grows
//! at most 36 MB more. It is given back when the replies have grown old.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::records::CallHash;

/// The recorded replies.
#[derive(Debug, Default)]
pub(super) struct Index {
    known: HashSet<CallHash>,
    /// Oldest first.
    by_age: VecDeque<Aged>,
}

/// When a reply may go.
#[derive(Clone, Copy, Debug)]
struct Aged {
    call: CallHash,
    /// By the service's monotonic clock.
    expires_ms: u64,
}

impl Index {
    /// Notes a reply that is not known. Those that expire first must come first.
    pub(super) fn insert(&mut self, call: CallHash, expires: Duration) {
        self.known.insert(call);
        let expires_ms = u64::try_from(expires.as_millis()).unwrap_or(u64::MAX);
        self.by_age.push_back(Aged { call, expires_ms });
    }

    pub(super) fn contains(&self, call: CallHash) -> bool {
        self.known.contains(&call)
    }

    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }

    /// The oldest replies that have expired, or are more than `count_max`; at most `limit` of them.
    pub(super) fn prunable(&self, now: Duration, count_max: usize, limit: usize) -> Vec<CallHash> {
        let surplus = self.len().saturating_sub(count_max);
        let places = self.by_age.iter().enumerate().take(limit);
        places
            .take_while(|(place, aged)| *place < surplus || aged.is_expired(now))
            .map(|(_, aged)| aged.call)
            .collect()
    }

    /// Whether the oldest reply expired by `now`.
    pub(super) fn has_expired(&self, now: Duration) -> bool {
        let oldest = self.by_age.front();
        oldest.is_some_and(|aged| aged.is_expired(now))
    }

    /// Forgets the `count` oldest.
    pub(super) fn forget_oldest(&mut self, count: usize) {
        for aged in self.by_age.drain(..count.min(self.by_age.len())) {
            self.known.remove(&aged.call);
        }
        if self.len() < self.by_age.capacity() / 8 {
            self.by_age.shrink_to(self.by_age.len() * 2);
            self.known.shrink_to(self.by_age.len() * 2);
        }
    }

    /// Forgets a reply that turned out not to be there.
    pub(super) fn forget(&mut self, call: CallHash) {
        self.known.remove(&call);
        self.by_age.retain(|aged| aged.call != call);
    }
}

impl Aged {
    fn is_expired(&self, now: Duration) -> bool {
        u128::from(self.expires_ms) <= now.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u8) -> CallHash {
        CallHash::new([number; 16])
    }

    fn filled() -> Index {
        let mut index = Index::default();
        for number in 0..10 {
            index.insert(call(number), Duration::from_secs(u64::from(number)));
        }
        index
    }

    #[test]
    fn the_oldest_go_by_age_and_by_count() {
        let index = filled();
        let prunable = |seconds, count_max| {
            let now = Duration::from_secs(seconds);
            index.prunable(now, count_max, 100).len()
        };
        assert_eq!(prunable(3, 10), 4);
        assert_eq!(prunable(3, 4), 6);
        assert_eq!(prunable(3, 9), 4);
        let none = Index::default().prunable(Duration::MAX, 0, 100);
        assert!(none.is_empty());
        assert_eq!(index.prunable(Duration::MAX, 10, 3), [0, 1, 2].map(call));
    }

    #[test]
    fn what_is_forgotten_is_not_known() {
        let mut index = filled();
        index.forget_oldest(3);
        index.forget(call(5));
        assert_eq!(index.len(), 6);
        assert!(![0, 1, 2, 5].iter().any(|n| index.contains(call(*n))));
        assert!(index.contains(call(3)) && index.contains(call(9)));
        index.forget_oldest(100);
        assert_eq!(index.len(), 0);
        assert!(index.known.is_empty());
    }
}
