//! Locks that keep operations on the same inodes from running into conflicts.
//!
//! They are a courtesy, not what correctness rests on: that is the engine's conflict check. An operation that
//! changes something holds the locks of the inodes its arguments name, from before it reads until
//! its commit is in memory, never while it waits for a flush. So a thousand creates in one
//! directory follow one another in microseconds and share their flushes.
//!
//! There is a fixed number of locks, and an inode's number picks one: no bookkeeping, bounded memory; two
//! inodes that share one cost a wait of microseconds. They are taken in ascending order, so nobody waits in
//! a circle. Renames between directories also hold one lock of their own: two of them could
//! otherwise undo each other's loop check again and again.

use sluice_types::InodeId;
use smallvec::SmallVec;
use tokio::sync::{Mutex, MutexGuard};

/// How many locks there are.
const LOCK_COUNT: usize = 1024;

/// What an operation has to lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockSet {
    /// The inodes it will change, as far as its arguments name them.
    pub inodes: SmallVec<[InodeId; 2]>,
    /// Whether it may move a directory to another one.
    pub between_directories: bool,
}

/// All locks of a service.
#[derive(Debug)]
pub struct Locks {
    inodes: Box<[Mutex<()>]>,
    renames: Mutex<()>,
}

/// Locks that are held.
#[derive(Debug)]
pub struct HeldLocks<'a> {
    _held: SmallVec<[MutexGuard<'a, ()>; 3]>,
}

impl Locks {
    /// Free locks.
    pub fn new() -> Self {
        Self {
            inodes: (0..LOCK_COUNT).map(|_| Mutex::new(())).collect(),
            renames: Mutex::new(()),
        }
    }

    /// Waits for all of `set`.
    pub async fn hold(&self, set: &LockSet) -> HeldLocks<'_> {
        let mut held = SmallVec::new();
        if set.between_directories {
            held.push(self.renames.lock().await);
        }
        let mut positions: SmallVec<[usize; 2]> =
            set.inodes.iter().map(|inode| position(*inode)).collect();
        positions.sort_unstable();
        positions.dedup();
        for position in positions {
            held.push(self.inodes[position].lock().await);
        }
        HeldLocks { _held: held }
    }
}

impl Default for Locks {
    fn default() -> Self {
        Self::new()
    }
}

fn position(inode: InodeId) -> usize {
    // Numbers are given out in sequence, so the remainder spreads them evenly.
    (inode.raw() % LOCK_COUNT as u64) as usize
}
