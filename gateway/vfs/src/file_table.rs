//! The files that someone reads or writes now.
//!
//! A state is here as long as a call uses it ([`FileRef`]), it has a write session, or remembers a failure. References are
//! only cloned out of the table under its shard's lock, and the last one to be dropped removes the state under that
//! lock unless it is kept; so there is never more than one state of a file. Bounded by the calls in flight, the
//! sessions ([`crate::VfsConfig::sessions_max`]), and the calls that failed within
//! [`crate::VfsConfig::settle_failure_memory`] and a round of the sweeper.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use sluice_types::{Inode, InodeId};

use crate::file_state::FileState;

type States = DashMap<InodeId, Arc<FileState>>;

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
        let made = || Arc::new(FileState::new(inode));
        let state = Arc::clone(&self.states.entry(inode).or_insert_with(made));
        self.reference(state)
    }

    /// The state of a file, if there is one.
    pub(crate) fn find(&self, inode: InodeId) -> Option<FileRef> {
        let state = Arc::clone(self.states.get(&inode)?.value());
        Some(self.reference(state))
    }

    /// The inode as replies must show it, if the file is being written.
    pub(crate) fn node(&self, inode: InodeId) -> Option<Inode> {
        self.states.get(&inode)?.node()
    }

    /// All files that are being written.
    pub(crate) fn with_sessions(&self) -> Vec<FileRef> {
        let states = self.states.iter();
        states
            .filter(|state| state.has_session())
            .map(|state| self.reference(Arc::clone(state.value())))
            .collect()
    }

    /// Forgets failures to settle files that are older than `memory`, and states that were kept for them alone.
    pub(crate) fn forget_settle_failures(&self, now: Duration, memory: Duration) {
        let states = self.states.iter();
        let forgetful = states.filter(|state| state.forget_settle_failure(now, memory));
        let forgetful: Vec<FileRef> = forgetful
            .map(|state| self.reference(Arc::clone(state.value())))
            .collect();
        // Only now: dropping a reference locks the table.
        drop(forgetful);
    }

    fn reference(&self, state: Arc<FileState>) -> FileRef {
        let states = Arc::clone(&self.states);
        FileRef { states, state }
    }
}

impl Deref for FileRef {
    type Target = FileState;

    fn deref(&self) -> &FileState {
        &self.state
    }
}

impl Clone for FileRef {
    fn clone(&self) -> Self {
        Self {
            states: Arc::clone(&self.states),
            state: Arc::clone(&self.state),
        }
    }
}

impl Drop for FileRef {
    fn drop(&mut self) {
        // Two holders: the table and this. Others can only come through the table, whose shard is locked here.
        self.states.remove_if(&self.state.inode(), |_, state| {
            Arc::ptr_eq(state, &self.state) && Arc::strong_count(state) <= 2 && !state.is_kept()
        });
    }
}
