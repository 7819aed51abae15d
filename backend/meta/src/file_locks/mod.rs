//! Locks of files: who holds what, who waits, who is to be told.
//!
//! What is held is durable: records of the store ([`crate::records::LockRecord`]), changed in transactions like everything
//! else, so that neither gateways nor this service take locks with them when they die, and no client has to
//! reclaim any. Who waits is in memory ([`waiting`]); a waiter asks again by itself.
//!
//! A change of a file's locks is decided by a [`LockTable`] in a transaction, under the file's lock in
//! [`crate::locks`]. The same transaction gives what became free to those who wait, so that a lock that a waiter
//! is told of is durably its own. [`crate::service`] has the operations.
//!
//! Bounds: [`LOCKS_MAX`] locks and shares in all, [`LOCKS_PER_FILE_MAX`] of a file (all of which each change
//! reads), [`LOCKS_PER_CLIENT_MAX`] of a client; those of waiters are in [`waiting`]. What is given to waiters is not
//! counted against the first three, and is bounded by theirs.

mod table;
mod waiting;

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use sluice_types::{FsError, Inode, InodeId, SessionId};
use sluice_wire::meta::{LockClient, LockGrant, LockOwner, Outcome};
use tokio::sync::Notify;

pub use table::LockTable;
pub use waiting::{Chosen, Grant, Waiter, Waiting};

use crate::error::MetaError;
use crate::kv::{CommitPoint, Engine, Isolation};
use crate::metrics::LockMetrics;
use crate::namespace::{NameHash, Namespace};

/// At most so many locks and shares.
pub const LOCKS_MAX: usize = 1 << 20;

/// At most so many locks and shares of a file.
pub const LOCKS_PER_FILE_MAX: usize = 1024;

/// At most so many locks and shares of a client.
pub const LOCKS_PER_CLIENT_MAX: usize = 65_536;

/// The longest name of a client, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// The longest handle of an owner, in bytes: what NLM carries.
pub const HANDLE_BYTES_MAX: usize = 1024;

/// The longest note of a waiter, in bytes.
pub const NOTE_BYTES_MAX: usize = 256;

/// Locks read at once when the service starts.
const PAGE: usize = 4096;

/// What is in memory of the locks of a service.
#[derive(Debug)]
pub struct FileLocks {
    state: Mutex<State>,
    /// Told whenever there are new grants.
    granted: Notify,
    metrics: LockMetrics,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    /// Files that have locks, or may get the first one in a transaction that runs, and how many whose.
    files: HashMap<InodeId, Vec<(LockClient, usize)>>,
    clients: HashMap<LockClient, usize>,
    held: usize,
}

impl FileLocks {
    /// Counts what is held. Grants are numbered from somewhere that `random` says.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(
        engine: &dyn Engine,
        names: &NameHash,
        random: u64,
    ) -> Result<Self, MetaError> {
        let mut state = State {
            waiting: Waiting::starting_at(random),
            ..State::default()
        };
        let mut after = None;
        loop {
            let mut namespace = Namespace::begin(engine, Isolation::Latest, names);
            let page = namespace.locks_after(None, after, PAGE).await?;
            after = page.last().map(|(place, _)| *place);
            let is_last = page.len() < PAGE;
            for (place, lock) in page {
                state.count_in(place.inode, &lock.owner.client);
            }
            if is_last {
                break;
            }
        }
        let locks = Self {
            state: Mutex::new(state),
            granted: Notify::new(),
            metrics: LockMetrics::new(),
        };
        locks.report(&locks.state.lock());
        Ok(locks)
    }

    /// Whether a file has locks, or may get the first one in a transaction that runs now.
    pub fn may_have(&self, inode: InodeId) -> bool {
        self.state.lock().files.contains_key(&inode)
    }

    /// To be called before the first lock of a file is committed; see [`crate::namespace`].
    pub fn expect(&self, inode: InodeId) {
        self.state.lock().files.entry(inode).or_default();
    }

    /// Whether the client, or all together, have all the locks they may.
    pub fn is_full(&self, client: &LockClient) -> bool {
        let state = self.state.lock();
        let of_client = state.clients.get(client).copied().unwrap_or(0);
        state.held >= LOCKS_MAX || of_client >= LOCKS_PER_CLIENT_MAX
    }

    /// Gives in `table` what waiters can have.
    pub fn choose(&self, inode: InodeId, table: &mut LockTable, now: Duration) -> Vec<Chosen> {
        self.state.lock().waiting.choose(inode, table, now)
    }

    /// A file's locks are these, as was committed at `point`; what was chosen is granted.
    pub fn committed(
        &self,
        inode: InodeId,
        table: &LockTable,
        chosen: Vec<Chosen>,
        point: CommitPoint,
        now: Duration,
    ) {
        let mut state = self.state.lock();
        if table.is_changed() {
            state.forget_file(inode);
            for lock in table.locks() {
                state.count_in(inode, &lock.owner.client);
            }
        } else if table.is_empty() {
            state.files.remove(&inode);
        }
        self.metrics.grants.increment(chosen.len() as u64);
        let has_grants = !chosen.is_empty();
        state.waiting.granted(inode, chosen, point, now);
        self.report(&state);
        drop(state);
        if has_grants {
            self.granted.notify_waiters();
        }
    }

    /// Works on who waits.
    pub fn waiting<T>(&self, work: impl FnOnce(&mut Waiting) -> T) -> T {
        let mut state = self.state.lock();
        let result = work(&mut state.waiting);
        self.report(&state);
        result
    }

    /// Grants for a session to tell of; waits until there are some, or for `patience`. They are durable only with
    /// the commits that come with them.
    pub async fn await_grants(
        &self,
        session: SessionId,
        now: impl Fn() -> Duration,
        patience: Duration,
    ) -> Vec<(LockGrant, CommitPoint)> {
        let fetch = async {
            loop {
                let told = self.granted.notified();
                let mut told = std::pin::pin!(told);
                told.as_mut().enable();
                let grants = self.waiting(|waiting| waiting.fetch(session, now()));
                if !grants.is_empty() {
                    return grants;
                }
                told.await;
            }
        };
        match tokio::time::timeout(patience, fetch).await {
            Ok(grants) => grants,
            // Those of other sessions become due without anybody telling.
            Err(_) => self.waiting(|waiting| waiting.fetch(session, now())),
        }
    }

    /// Clients that hold something.
    pub fn clients(&self) -> Vec<LockClient> {
        self.state.lock().clients.keys().cloned().collect()
    }

    /// Takes from an operation's outcome what it tells of files that are gone. To be called before the operation's
    /// locks are released.
    pub fn note(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Remove(removed) => self.forget_removed(&removed.node),
            Outcome::Rename(renamed) => {
                if let Some(replaced) = &renamed.replaced {
                    self.forget_removed(replaced);
                }
            }
            _ => {}
        }
    }

    /// Counts a lock that was not to be had.
    pub fn denied(&self) {
        self.metrics.denials.increment(1);
    }

    /// Counts a grant that nobody took.
    pub fn missed(&self) {
        self.metrics.grants_missed.increment(1);
    }

    fn forget_removed(&self, node: &Inode) {
        let mut state = self.state.lock();
        if node.attributes.link_count == 0 && state.files.contains_key(&node.id) {
            state.forget_file(node.id);
            let of_file = |inode, _: &Waiter| inode == node.id;
            state.waiting.forget_all(Duration::ZERO, of_file);
            self.report(&state);
        }
    }

    fn report(&self, state: &MutexGuard<'_, State>) {
        self.metrics.held.set(state.held as f64);
        self.metrics.waiters.set(state.waiting.len() as f64);
    }
}

impl State {
    fn count_in(&mut self, inode: InodeId, client: &LockClient) {
        let of_file = self.files.entry(inode).or_default();
        match of_file.iter_mut().find(|(of, _)| of == client) {
            Some((_, count)) => *count += 1,
            None => of_file.push((client.clone(), 1)),
        }
        *self.clients.entry(client.clone()).or_default() += 1;
        self.held += 1;
    }

    fn forget_file(&mut self, inode: InodeId) {
        for (client, count) in self.files.remove(&inode).unwrap_or_default() {
            self.held -= count;
            if let Some(of_client) = self.clients.get_mut(&client) {
                *of_client -= count;
                if *of_client == 0 {
                    self.clients.remove(&client);
                }
            }
        }
    }
}

/// Whether an owner can be kept.
///
/// # Errors
/// [`FsError::NameTooLong`].
pub fn check_owner(owner: &LockOwner) -> Result<(), FsError> {
    let fits = owner.client.name.len() <= NAME_BYTES_MAX && owner.handle.len() <= HANDLE_BYTES_MAX;
    fits.then_some(()).ok_or(FsError::NameTooLong)
}
