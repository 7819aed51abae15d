//! The files that someone reads or writes now.
//!
//! A state is here as long as a call uses it ([`FileRef`]), it has a write session, or remembers a failure. References are
//! only made and dropped under the lock of the table's shard, which counts them, and the last one to be dropped removes the
//! state under that lock unless it is kept; so there is never more than one state of a file. Bounded by the calls in flight, the
//! sessions ([`crate::VfsConfig::sessions_max`]), and the calls that failed within
//! [`crate::VfsConfig::settle_failure_memory`] and a round of the sweeper.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use sluice_types::{Inode, InodeId};

use crate::file_state::FileState;

type States = DashMap<InodeId, Known>;

/// A state in the table.
#[derive(Debug)]
struct Known {
    state: Arc<FileState>,
    /// The references there are.
    uses: usize,
}

/// The files that someone reads or writes now.
#[derive(Debug, Default)]
pub(crate) struct FileTable {
    states: Arc<States>,
}

/// A use of a file's state.
#[derive(Debug)]
pub(crate) struct FileRef {
    states: Arc<States>,
    state: Arc<FileState>,
}

impl FileTable {
    /// The state of a file, made if there is none.
    pub(crate) fn acquire(&self, inode: InodeId) -> FileRef {
        let mut known = self.states.entry(inode).or_insert_with(|| Known {
            state: Arc::new(FileState::new(inode)),
            uses: 0,
        });
        self.reference(&mut known)
    }

    /// The state of a file, if there is one.
    pub(crate) fn find(&self, inode: InodeId) -> Option<FileRef> {
        let mut known = self.states.get_mut(&inode)?;
        Some(self.reference(&mut known))
    }

    /// The inode as replies must show it, if the file is being written.
    pub(crate) fn node(&self, inode: InodeId) -> Option<Inode> {
        self.states.get(&inode)?.state.node()
    }

    /// All files that are being written.
    pub(crate) fn with_sessions(&self) -> Vec<FileRef> {
        self.matching(FileState::has_session)
    }

    /// Forgets failures to settle files that are older than `memory`, and states that were kept for them alone.
    pub(crate) fn forget_settle_failures(&self, now: Duration, memory: Duration) {
        // Only now dropped: dropping a reference locks the table.
        drop(self.matching(|state| state.forget_settle_failure(now, memory)));
    }

    fn matching(&self, wanted: impl Fn(&FileState) -> bool) -> Vec<FileRef> {
        let known = self.states.iter_mut();
        known
            .filter(|known| wanted(&known.state))
            .map(|mut known| self.reference(&mut known))
            .collect()
    }

    fn reference(&self, known: &mut Known) -> FileRef {
        known.uses += 1;
        FileRef {
            states: Arc::clone(&self.states),
            state: Arc::clone(&known.state),
        }
    }
}

impl Deref for FileRef {
    type Target = FileState;

    fn deref(&self) -> &FileState {
        &self.state
    }
}

impl Drop for FileRef {
    fn drop(&mut self) {
        self.states.remove_if_mut(&self.state.inode(), |_, known| {
            known.uses -= 1;
            known.uses == 0 && !known.state.is_kept()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_go_with_their_last_use_even_if_two_end_at_once() {
        let table = FileTable::default();
        let barrier = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for number in 1..20_000 {
                        barrier.wait();
                        let file = table.acquire(InodeId::new(number).unwrap());
                        barrier.wait();
                        drop(file);
                    }
                });
            }
        });
        assert_eq!(table.states.len(), 0);
    }

    #[test]
    fn a_state_stays_as_long_as_it_is_used() {
        let table = FileTable::default();
        let first = table.acquire(InodeId::ROOT);
        let second = table.find(InodeId::ROOT).unwrap();
        assert!(Arc::ptr_eq(&first.state, &second.state));
        drop(first);
        assert!(table.find(InodeId::ROOT).is_some());
        drop(second);
        assert!(table.find(InodeId::ROOT).is_none());
    }
}
