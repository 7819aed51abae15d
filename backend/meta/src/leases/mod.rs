//! Read leases: what lets gateways answer from memory, and how a change takes it back.
//!
//! A gateway that asks for an inode or a name with a lease may answer from memory until the lease is recalled: for the
//! inode's attributes and data, for a directory's names. Leases are kept in memory here, and only while there are two or
//! more sessions that hold any: a single gateway knows of all changes, for it makes them. (The *write* lease of a file is
//! its inode's durable `writer`; it is recalled here too, but given back by the end of the writing.)
//!
//! What keeps everyone's view one (promise 2 of docs/SEMANTICS.md):
//!
//! * A lease is granted before the operation that asks for it reads. So whoever changes an inode afterwards finds it.
//! * A change marks its inodes before it commits, and unmarks them when all other sessions' leases of them are given back.
//!   Only then is it answered. ([`Change`])
//! * Who saw a marked inode is answered only once it is unmarked: nobody is shown what others might still answer
//!   differently. ([`Leases::unmarked`])
//!
//! Nobody waits in a circle: leases are given back without asking anyone, and a change has its marks taken away before it
//! waits for those of others.
//!
//! **Terms.** After a restart nobody knows what leases were granted before, nor does anyone when a second gateway comes. So a
//! new term begins; each session drops everything from before it and says so, and until then no *other* session's changes
//! are carried out.
//!
//! **Bounds.** [`LEASES_PER_SESSION_MAX`] leases a session, about 96 bytes each; beyond, the oldest is recalled. The recalls
//! on their way to a session are at most its leases and the files it writes.

mod change;
mod outbox;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use sluice_types::{InodeId, SessionId};
use sluice_wire::meta::{LeaseKind, Recall};
use smallvec::SmallVec;
use tokio::sync::watch;

pub use change::Change;
pub use outbox::Outbox;

/// At most so many read leases are held under one session.
pub const LEASES_PER_SESSION_MAX: usize = 262_144;

/// At most so many recalls are told at once.
pub const RECALLS_MAX: usize = 4096;

/// How many parts the table has.
const SHARD_COUNT: usize = 256;

/// All read leases.
#[derive(Debug)]
pub struct Leases {
    shards: Box<[Shard]>,
    outboxes: RwLock<HashMap<SessionId, Arc<Outbox>>>,
    /// How many read leases are held.
    held: AtomicUsize,
}

/// The leases of some inodes.
#[derive(Debug, Default)]
struct Shard {
    state: Mutex<ShardState>,
    /// Changes when an inode was unmarked, or lost its writer.
    news: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct ShardState {
    readers: HashMap<InodeId, SmallVec<[Reader; 2]>>,
    /// Inodes being changed, and by how many operations.
    marked: HashMap<InodeId, u32>,
}

/// A session that holds a read lease.
#[derive(Clone, Copy, Debug)]
struct Reader {
    session: SessionId,
    /// The number of the recall that it has yet to acknowledge; zero for none.
    recall: u64,
}

/// A recall that was sent: `outbox` tells when it is acknowledged.
#[derive(Debug)]
pub struct Sent {
    /// To whom.
    pub session: SessionId,
    /// The number to be acknowledged.
    pub sequence: u64,
    /// Where its acknowledgement is seen.
    pub outbox: Arc<Outbox>,
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            shards: (0..SHARD_COUNT).map(|_| Shard::default()).collect(),
            outboxes: RwLock::default(),
            held: AtomicUsize::new(0),
        }
    }
}

impl Leases {
    /// Notes that `session` may answer for `inode` from memory.
    pub fn grant(&self, session: SessionId, inode: InodeId) {
        {
            let mut state = self.shard(inode).state.lock();
            let readers = state.readers.entry(inode).or_default();
            let known = readers.iter_mut().find(|reader| reader.session == session);
            if let Some(known) = known {
                // What it was recalled for is older than what it is given now.
                known.recall = 0;
                return;
            }
            readers.push(Reader { session, recall: 0 });
            self.held.fetch_add(1, Ordering::Relaxed);
        }
        let oldest = self.outbox(session).note_granted(inode);
        if let Some(oldest) = oldest {
            let _ = self.recall_from(oldest, |reader| reader == session);
        }
    }

    /// Marks inodes as being changed.
    pub fn begin_change(&self, inodes: &[InodeId]) -> Change<'_> {
        let mut inodes: SmallVec<[InodeId; 4]> = inodes.iter().copied().collect();
        inodes.sort_unstable();
        inodes.dedup();
        for inode in &inodes {
            let mut state = self.shard(*inode).state.lock();
            *state.marked.entry(*inode).or_default() += 1;
        }
        Change::new(self, inodes)
    }

    fn end_change(&self, inodes: &[InodeId]) {
        for inode in inodes {
            let shard = self.shard(*inode);
            let mut state = shard.state.lock();
            if let Some(count) = state.marked.get_mut(inode) {
                *count -= 1;
                if *count == 0 {
                    state.marked.remove(inode);
                }
            }
            drop(state);
            shard.news.send_replace(());
        }
    }

    /// Waits until none of the inodes is being changed.
    pub async fn unmarked(&self, inodes: &[InodeId]) {
        for inode in inodes {
            let shard = self.shard(*inode);
            let is_marked = || shard.state.lock().marked.contains_key(inode);
            if !is_marked() {
                continue;
            }
            let mut news = shard.news.subscribe();
            while is_marked() {
                // The sender lives as long as this table.
                let _ = news.changed().await;
            }
        }
    }

    /// Recalls the read leases of `inode` from all sessions but `except`.
    fn recall_reads(&self, inode: InodeId, except: SessionId) -> Vec<Sent> {
        self.recall_from(inode, |reader| reader != except)
    }

    fn recall_from(&self, inode: InodeId, from: impl Fn(SessionId) -> bool) -> Vec<Sent> {
        let mut state = self.shard(inode).state.lock();
        let Some(readers) = state.readers.get_mut(&inode) else {
            return Vec::new();
        };
        let readers = readers.iter_mut().filter(|reader| from(reader.session));
        let sent = readers.map(|reader| {
            let outbox = self.outbox(reader.session);
            if reader.recall == 0 {
                let kind = LeaseKind::Read;
                reader.recall = outbox.push(Recall { inode, kind });
            }
            Sent {
                session: reader.session,
                sequence: reader.recall,
                outbox,
            }
        });
        sent.collect()
    }

    /// Asks the session that writes a file to come to an end with it.
    pub fn recall_write(&self, writer: SessionId, inode: InodeId) {
        let kind = LeaseKind::Write;
        let _ = self.outbox(writer).push(Recall { inode, kind });
    }

    /// Says that a file has no writer any more.
    pub fn writer_ended(&self, inode: InodeId) {
        self.shard(inode).news.send_replace(());
    }

    /// Tells when an inode was unmarked or has no writer any more; of some others too.
    pub fn news(&self, inode: InodeId) -> watch::Receiver<()> {
        self.shard(inode).news.subscribe()
    }

    /// Notes which recalls a session has received; its read leases in them are given back.
    pub fn acknowledge(&self, session: SessionId, sequence: u64) {
        let outbox = self.outbox(session);
        for (recalled, recall) in outbox.take_acknowledged(sequence) {
            if recall.kind == LeaseKind::Read {
                self.remove(recall.inode, |reader| {
                    reader.session == session && reader.recall == recalled
                });
            }
        }
        outbox.announce_acknowledged(sequence);
    }

    /// Where recalls for a session are kept.
    pub fn outbox(&self, session: SessionId) -> Arc<Outbox> {
        if let Some(outbox) = self.outboxes.read().get(&session) {
            return Arc::clone(outbox);
        }
        Arc::clone(self.outboxes.write().entry(session).or_default())
    }

    /// Forgets the leases of sessions that have ended.
    pub fn forget(&self, has_ended: impl Fn(SessionId) -> bool) {
        let mut gone = Vec::new();
        self.outboxes.write().retain(|session, outbox| {
            let ended = has_ended(*session);
            if ended {
                gone.push((*session, Arc::clone(outbox)));
            }
            !ended
        });
        for (session, outbox) in gone {
            let inodes: HashSet<InodeId> = outbox.granted().into_iter().collect();
            for inode in inodes {
                self.remove(inode, |reader| reader.session == session);
            }
        }
    }

    /// How many read leases are held.
    pub fn count(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn remove(&self, inode: InodeId, gone: impl Fn(&Reader) -> bool) {
        let mut state = self.shard(inode).state.lock();
        if let Some(readers) = state.readers.get_mut(&inode) {
            let before = readers.len();
            readers.retain(|reader| !gone(reader));
            self.held
                .fetch_sub(before - readers.len(), Ordering::Relaxed);
            if readers.is_empty() {
                state.readers.remove(&inode);
            }
        }
    }

    fn shard(&self, inode: InodeId) -> &Shard {
        &self.shards[(inode.raw() % SHARD_COUNT as u64) as usize]
    }
}
