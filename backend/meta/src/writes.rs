//! Which files are being written: for administrators to see.
//!
//! What counts is each inode's own `writer`; here is only where to look, so that nobody has to read all inodes to find
//! the few that have one. It is noted from what operations gave back and confirmed from the inodes when it is
//! listed. It is kept in memory: after a restart of the service a file is noted again with its gateway's next report.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::{Inode, InodeId, SessionId};
use sluice_wire::meta::Outcome;

/// At most so many files are noted (48 MiB); those beyond are not listed.
const WRITES_MAX: usize = 1 << 20;

/// Who writes a file, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// The session that writes it.
    pub session: SessionId,
    /// When it was noted first, by the service's monotonic clock.
    pub since: Duration,
}

/// The files being written.
#[derive(Debug, Default)]
pub struct Writes(Mutex<BTreeMap<InodeId, Write>>);

impl Writes {
    /// Takes from an operation's outcome what it tells of writers. To be called before the operation's locks are
    /// released, so that outcomes about one inode come in their order. Gives the file that has no writer (any more).
    pub fn note(&self, outcome: &Outcome, now: Duration) -> Option<InodeId> {
        match outcome {
            Outcome::BeginWrite(node) | Outcome::FinishTrim(node) => self.note_inode(node, now),
            Outcome::UpdateWritten(changed) | Outcome::SetInode(changed) => {
                self.note_inode(&changed.after, now)
            }
            Outcome::Remove(removed) => self.forget_removed(&removed.node),
            Outcome::Rename(renamed) => self.forget_removed(renamed.replaced.as_ref()?),
            _ => None,
        }
    }

    /// Up to `limit` files after `after`, in order.
    pub fn after(&self, after: Option<InodeId>, limit: usize) -> Vec<(InodeId, Write)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let writes = self.0.lock();
        let found = writes.range((start, Bound::Unbounded)).take(limit);
        found.map(|(inode, write)| (*inode, *write)).collect()
    }

    /// Forgets what turned out not to be so, unless it was noted anew meanwhile.
    pub fn forget(&self, inode: InodeId, write: Write) {
        let mut writes = self.0.lock();
        if writes.get(&inode) == Some(&write) {
            writes.remove(&inode);
        }
    }

    fn note_inode(&self, node: &Inode, now: Duration) -> Option<InodeId> {
        let mut writes = self.0.lock();
        let session = node.writer;
        if session.raw() == 0 {
            writes.remove(&node.id);
            return Some(node.id);
        }
        let known = writes.get(&node.id);
        let is_new = known.is_none_or(|write| write.session != session);
        if is_new && (known.is_some() || writes.len() < WRITES_MAX) {
            let since = now;
            writes.insert(node.id, Write { session, since });
        }
        None
    }

    fn forget_removed(&self, node: &Inode) -> Option<InodeId> {
        if node.attributes.link_count > 0 {
            return None;
        }
        self.0.lock().remove(&node.id);
        Some(node.id)
    }
}
