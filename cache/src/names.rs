//! Names that were looked up, found or not.
//!
//! A name is forgotten when it changes, or all names of its directory at once: each is remembered with its directory's epoch,
//! and holds only as long as that is the same. Directories share a fixed number of epochs by hash; two that meet can only
//! cause a name to be asked for again.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foyer::DefaultHasher;
use sluice_types::{FileName, InodeId};

use crate::Coherent;
use crate::epochs::{Change, Ticket};
use crate::metrics::LookupMetrics;

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameEntry {
    /// An inode.
    Found(InodeId),
    /// There is no such name.
    Absent,
}

/// What an entry takes beside the name's bytes: key, links, counters, allocator.
const OVERHEAD_BYTES: usize = 200;

/// How many epochs directories share.
const EPOCH_COUNT: usize = 4096;

/// Names by directory; see [`Coherent`] for how they stay true.
#[derive(Debug)]
pub struct NameCache {
    entries: Coherent<(InodeId, FileName), Remembered>,
    epochs: Box<[AtomicU64]>,
    hasher: DefaultHasher,
}

/// A name's entry, and its directory's epoch when it was asked for.
#[derive(Clone, Copy, Debug)]
struct Remembered {
    entry: NameEntry,
    epoch: u64,
}

/// The state of a name when someone began to ask for it.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct NameTicket {
    ticket: Ticket,
    epoch: u64,
}

impl NameCache {
    /// An empty cache of at most `budget_bytes`.
    pub fn with_budget(budget_bytes: u64) -> Self {
        let entries = Coherent::new(budget_bytes, LookupMetrics::names(), |(_, name), _| {
            let name: &FileName = name;
            name.as_bytes().len() + OVERHEAD_BYTES
        });
        Self {
            entries,
            epochs: (0..EPOCH_COUNT).map(|_| AtomicU64::new(0)).collect(),
            hasher: DefaultHasher::default(),
        }
    }

    /// What is remembered of a name.
    pub fn get(&self, key: &(InodeId, FileName)) -> Option<NameEntry> {
        let remembered = self.entries.get(key)?;
        (remembered.epoch == self.epoch(key.0)).then_some(remembered.entry)
    }

    /// To be taken before the name is asked for elsewhere.
    pub fn ticket(&self, key: &(InodeId, FileName)) -> NameTicket {
        NameTicket {
            epoch: self.epoch(key.0),
            ticket: self.entries.ticket(key),
        }
    }

    /// Remembers a name that was asked for after `ticket` was taken, unless it was changed since. Whether it was remembered.
    pub fn insert(&self, ticket: NameTicket, key: &(InodeId, FileName), entry: NameEntry) -> bool {
        let epoch = ticket.epoch;
        self.entries
            .insert(ticket.ticket, key, Remembered { entry, epoch })
    }

    /// Says that a name is about to change, until the result is dropped; see [`Coherent::begin_change`].
    pub fn begin_change(&self, key: &(InodeId, FileName)) -> Change {
        self.entries.begin_change(key)
    }

    /// Says that names of the directory may have changed.
    pub fn forget_directory(&self, directory: InodeId) {
        self.directory_epoch(directory)
            .fetch_add(1, Ordering::AcqRel);
    }

    /// Says that every name may have changed.
    pub fn forget_all(&self) {
        self.entries.forget_all();
    }

    /// Memory that entries take now, in bytes; never above the budget.
    pub fn used_bytes(&self) -> u64 {
        self.entries.used_bytes()
    }

    fn epoch(&self, directory: InodeId) -> u64 {
        self.directory_epoch(directory).load(Ordering::Acquire)
    }

    fn directory_epoch(&self, directory: InodeId) -> &AtomicU64 {
        &self.epochs[self.hasher.hash_one(directory) as usize % EPOCH_COUNT]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(directory: u64, name: &str) -> (InodeId, FileName) {
        let name = FileName::new(name.as_bytes().to_vec()).unwrap();
        (InodeId::new(directory).unwrap(), name)
    }

    #[test]
    fn a_directory_is_forgotten_with_what_is_still_being_asked_for() {
        let names = NameCache::with_budget(1 << 20);
        let (one, other) = (key(7, "a"), key(8, "a"));
        let absent = NameEntry::Absent;
        for key in [&one, &other] {
            assert!(names.insert(names.ticket(key), key, absent));
        }
        let late = names.ticket(&one);
        names.forget_directory(one.0);
        assert_eq!(names.get(&one), None);
        assert_eq!(names.get(&other), Some(absent));
        let _ = names.insert(late, &one, absent);
        assert_eq!(names.get(&one), None);
        assert!(names.insert(names.ticket(&one), &one, absent));
        assert_eq!(names.get(&one), Some(absent));
        let late = names.ticket(&one);
        names.forget_all();
        assert_eq!((names.get(&one), names.get(&other)), (None, None));
        assert!(!names.insert(late, &one, absent));
    }
}
