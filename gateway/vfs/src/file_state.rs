//! What a gateway knows of a file that it is reading or writing.
//!
//! **Write session.** The metadata service owns size and times; but while this gateway writes a file, it is the
//! authority: [`WriteSession::node`] is the inode as every reply must show it. The session begins with a durable
//! `BeginWrite` (a new data version, the gateway noted as writer) and ends with `UpdateWritten { end }` after
//! the file was left alone for a while and holds nothing unstable. Between, what was written is told at every
//! synchronous write and commit, and about once a second.
//!
//! **Data guard.** Reads and writes of data share it; what must not run beside them is exclusive: truncation, removal
//! of the last name, the end of a session. It is held over calls for this file alone. Never taken twice by
//! one task.
//!
//! **Time stamps.** A write's stamp is the gateway's clock, but always later than the inode's `changed`. The
//! service sets `changed` to that stamp when it is told; so the attributes in the reply to a write, to the commit after it
//! and to every later GETATTR agree, and clients see no change where there is none. The stamp is given after storage
//! took the data: whoever sees the new time also reads the new data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::{
    Attributes, FsError, Inode, InodeId, Stability, TargetId, Timestamp, WccAttributes,
};
use sluice_wire::meta::UpdateWritten;
use tokio::sync::{
    OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock,
};

use sluice_client::{CommitReceipt, CommitScope, WriteReceipt};

/// The unit in which storage gives space, in bytes, for estimates between commits.
const SPACE_UNIT_BYTES: u64 = 4096;

/// What a gateway knows of a file that it is reading or writing.
#[derive(Debug)]
pub(crate) struct FileState {
    inode: InodeId,
    data: Arc<RwLock<()>>,
    /// Held while a session is begun, so that two first writers begin one.
    pub(crate) opening: tokio::sync::Mutex<()>,
    /// Held while the metadata service is told; whoever waits finds its news told too.
    pub(crate) reporting: tokio::sync::Mutex<()>,
    /// Held while storage is asked in the background for the file; until when (monotonic) it is not asked again, after a
    /// failure.
    storage_work: Arc<tokio::sync::Mutex<Duration>>,
    session: Mutex<Option<WriteSession>>,
    /// The last write of the sessions that ended: the next goes on from there, so that what was asked for in one session and
    /// is answered in the next is not taken to cover the writes of that one.
    sequence: AtomicU64,
    removed: AtomicBool,
    /// When settling it failed (monotonic), and why; `None` once it succeeded, or that was long ago.
    settle_failure: Mutex<Option<(Duration, FsError)>>,
}

/// The shared data guard.
pub(crate) type SharedGuard = OwnedRwLockReadGuard<()>;
/// The exclusive data guard.
pub(crate) type ExclusiveGuard = OwnedRwLockWriteGuard<()>;

impl FileState {
    pub(crate) fn new(inode: InodeId) -> Self {
        Self {
            inode,
            data: Arc::default(),
            opening: tokio::sync::Mutex::default(),
            reporting: tokio::sync::Mutex::default(),
            storage_work: Arc::default(),
            session: Mutex::default(),
            sequence: AtomicU64::new(0),
            removed: AtomicBool::new(false),
            settle_failure: Mutex::default(),
        }
    }

    pub(crate) fn inode(&self) -> InodeId {
        self.inode
    }

    pub(crate) async fn share(&self) -> SharedGuard {
        Arc::clone(&self.data).read_owned().await
    }

    pub(crate) async fn exclude(&self) -> ExclusiveGuard {
        Arc::clone(&self.data).write_owned().await
    }

    /// The exclusive guard if nobody holds or awaits the data.
    pub(crate) fn try_exclude(&self) -> Option<ExclusiveGuard> {
        Arc::clone(&self.data).try_write_owned().ok()
    }

    /// The right to ask storage in the background for the file, unless someone has it, or it failed not long ago.
    pub(crate) fn try_storage_work(&self, now: Duration) -> Option<OwnedMutexGuard<Duration>> {
        let paused_until = Arc::clone(&self.storage_work).try_lock_owned().ok()?;
        (*paused_until <= now).then_some(paused_until)
    }

    /// Says that the file is gone. Needs the exclusive guard.
    pub(crate) fn remove(&self) {
        self.removed.store(true, Ordering::Release);
        *self.session.lock() = None;
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Acquire)
    }

    /// Why the file could not be settled, if that was tried within the last `memory`.
    pub(crate) fn settle_failure(&self, now: Duration, memory: Duration) -> Option<FsError> {
        let (at, error) = (*self.settle_failure.lock())?;
        (now < at + memory).then_some(error)
    }

    /// Notes how settling the file ended.
    pub(crate) fn note_settled(&self, failure: Option<FsError>, now: Duration) {
        *self.settle_failure.lock() = failure.map(|error| (now, error));
    }

    /// Whether the state must be kept though nobody uses it.
    pub(crate) fn is_kept(&self) -> bool {
        self.has_session() || self.settle_failure.lock().is_some()
    }

    /// Drops a failure to settle that is older than `memory`; whether there was one.
    pub(crate) fn forget_settle_failure(&self, now: Duration, memory: Duration) -> bool {
        let old = |(at, _): &mut (Duration, FsError)| now >= *at + memory;
        self.settle_failure.lock().take_if(old).is_some()
    }

    /// The inode as replies must show it, while the file is being written and nothing about it is in doubt.
    pub(crate) fn node(&self) -> Option<Inode> {
        let session = self.session.lock();
        let session = session.as_ref().filter(|session| !session.doubtful);
        session.map(|session| session.node.clone())
    }

    /// Whether the session's inode must be asked for again before the file is used.
    pub(crate) fn is_doubtful(&self) -> bool {
        let session = self.session.lock();
        session.as_ref().is_some_and(|session| session.doubtful)
    }

    pub(crate) fn has_session(&self) -> bool {
        self.session.lock().is_some()
    }

    /// Does something with the session, if there is one.
    pub(crate) fn with_session<T>(&self, act: impl FnOnce(&mut WriteSession) -> T) -> Option<T> {
        self.session.lock().as_mut().map(act)
    }

    /// Notes what a lost answer to a change of the inode leaves open. Needs the exclusive guard, and all writes reported.
    pub(crate) fn doubt_if_unknown<T>(&self, outcome: &Result<T, FsError>) {
        // `Busy`, if the inode has another data version than the session knows of.
        if matches!(
            outcome,
            Err(FsError::Unavailable | FsError::Internal | FsError::Busy)
        ) {
            self.with_session(WriteSession::doubt);
        }
    }

    /// Takes what `BeginWrite` gave: begins the session, or goes on with it under a new data version.
    pub(crate) fn begin(&self, node: Inode, permit: Option<OwnedSemaphorePermit>, now: Duration) {
        let mut session = self.session.lock();
        match &mut *session {
            Some(session) => {
                session.ending = false;
                session.merge(&node);
            }
            None => {
                let sequence = self.sequence.load(Ordering::Relaxed) + 1;
                *session = Some(WriteSession::new(node, permit, sequence, now));
            }
        }
    }

    /// Ends the session. Needs the exclusive guard, and the metadata service must know all.
    pub(crate) fn end(&self) {
        if let Some(ended) = self.session.lock().take() {
            self.sequence.store(ended.sequence, Ordering::Relaxed);
        }
    }
}

/// A file being written by this gateway.
#[derive(Debug)]
pub(crate) struct WriteSession {
    /// The inode as every reply must show it.
    pub(crate) node: Inode,
    /// `changed` of the newest inode that the metadata service gave: older ones are not merged.
    merged: Timestamp,
    /// The last write; see [`FileState`] for where the numbers begin.
    sequence: u64,
    /// The last write that the metadata service knows of.
    reported: u64,
    /// When it was told last.
    reported_at: Duration,
    /// A size that the metadata service has on record.
    recorded_size_bytes: u64,
    /// Targets with data that may be unstable, with the last write that put some there.
    unstable: BTreeMap<TargetId, u64>,
    /// The last write that failed: no one knows what storage has of it.
    failed: Option<u64>,
    /// Storage may hold bytes of a failed write beyond the size: to be cut before the file is used again, or they
    /// would show when the file grows.
    overhang: bool,
    /// The metadata service was asked to end the session, with no answer yet.
    ending: bool,
    /// The metadata service was asked to change the inode, and its answer was lost: a truncation may be pending
    /// that the session does not know of, or still be on its way, and a write before it would be cut with it.
    doubtful: bool,
    /// The last write's time stamp.
    stamp: Timestamp,
    /// When the last write came.
    written_at: Duration,
    /// The session's place among those that may be open.
    _permit: Option<OwnedSemaphorePermit>,
}

/// A write that storage took, to be applied to the session.
pub(crate) struct Written<'a> {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) stability: Stability,
    pub(crate) receipt: &'a WriteReceipt,
    /// Wall-clock time.
    pub(crate) now: Timestamp,
    /// Monotonic time.
    pub(crate) at: Duration,
}

/// What applying a write did.
pub(crate) struct Applied {
    pub(crate) before: WccAttributes,
    pub(crate) after: Inode,
    /// The write's number.
    pub(crate) sequence: u64,
    /// Whether the size on record with the metadata service covers the write.
    pub(crate) size_recorded: bool,
}

/// What the metadata service is to be told, and up to which write it tells all.
pub(crate) struct Report {
    pub(crate) update: UpdateWritten,
    pub(crate) sequence: u64,
}

impl WriteSession {
    fn new(
        node: Inode,
        permit: Option<OwnedSemaphorePermit>,
        sequence: u64,
        now: Duration,
    ) -> Self {
        Self {
            merged: node.attributes.changed,
            sequence,
            reported: sequence,
            reported_at: now,
            recorded_size_bytes: node.attributes.size_bytes,
            unstable: BTreeMap::new(),
            failed: None,
            overhang: false,
            ending: false,
            doubtful: false,
            stamp: node.attributes.changed,
            written_at: now,
            node,
            _permit: permit,
        }
    }

    /// Takes a write into account.
    pub(crate) fn apply(&mut self, written: &Written<'_>) -> Applied {
        let attributes = &mut self.node.attributes;
        let before = attributes.wcc();
        let stamp = written
            .now
            .max(attributes.changed.plus(Duration::from_nanos(1)));
        self.stamp = stamp;
        attributes.changed = stamp;
        attributes.modified = stamp;
        attributes.size_bytes = attributes.size_bytes.max(written.offset + written.length);
        let room = attributes.size_bytes.next_multiple_of(SPACE_UNIT_BYTES);
        let taken = attributes.used_bytes + written.length.next_multiple_of(SPACE_UNIT_BYTES);
        attributes.used_bytes = attributes.used_bytes.max(taken.min(room));
        self.sequence += 1;
        self.written_at = written.at;
        if written.stability == Stability::Unstable {
            let targets = written.receipt.targets.iter();
            self.unstable
                .extend(targets.map(|&target| (target, self.sequence)));
        }
        Applied {
            before,
            after: self.node.clone(),
            sequence: self.sequence,
            size_recorded: written.offset + written.length <= self.recorded_size_bytes,
        }
    }

    /// Notes that a write up to byte `end` failed: any part of it may be on storage.
    pub(crate) fn note_failure(&mut self, end: u64, at: Duration) {
        self.sequence += 1;
        self.failed = Some(self.sequence);
        self.overhang |= end > self.node.attributes.size_bytes;
        self.written_at = at;
    }

    /// Whether storage must be cut to the size before the file is used again.
    pub(crate) fn has_overhang(&self) -> bool {
        self.overhang
    }

    /// Notes that storage was cut to the size.
    pub(crate) fn overhang_cut(&mut self) {
        self.overhang = false;
    }

    /// The number of the last write.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whom to ask for a commit; `None` if nothing is unstable.
    pub(crate) fn commit_scope(&self) -> Option<CommitScope> {
        if self.failed.is_some() {
            return Some(CommitScope::All);
        }
        let targets: BTreeSet<TargetId> = self.unstable.keys().copied().collect();
        (!targets.is_empty()).then_some(CommitScope::Only(targets))
    }

    /// Takes a commit into account that was asked for when `sequence` was the last write.
    pub(crate) fn committed(&mut self, sequence: u64, receipt: &CommitReceipt) {
        self.unstable.retain(|_, last| *last > sequence);
        self.failed = self.failed.filter(|&failed| failed > sequence);
        if let Some(allocated_bytes) = receipt.allocated_bytes
            && self.sequence == sequence
        {
            self.node.attributes.used_bytes = allocated_bytes;
        }
    }

    /// Notes that it is not known whether the metadata service changed the inode. Needs the exclusive guard, and all
    /// writes reported: until the inode was asked for, nobody writes and nothing is told.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// What to tell the metadata service; `None` if it knows all up to `need`, or may know better.
    pub(crate) fn report(&mut self, need: u64, end: bool) -> Option<Report> {
        if self.doubtful || (self.reported >= need && !end) {
            return None;
        }
        let attributes = &self.node.attributes;
        let news = self.sequence > self.reported;
        let update = UpdateWritten {
            inode: self.node.id,
            data_version: self.node.data_version,
            size_bytes_min: attributes.size_bytes,
            used_bytes: Some(attributes.used_bytes),
            modified: news.then_some(self.stamp),
            end,
        };
        let sequence = self.sequence;
        self.ending |= end;
        Some(Report { update, sequence })
    }

    /// Takes into account that the metadata service was told. False if the telling did not count, because the file has
    /// another data version by now: then it is to be told again, under that.
    pub(crate) fn reported(&mut self, report: &Report, after: &Inode, at: Duration) -> bool {
        let counts = after.data_version == report.update.data_version;
        if counts {
            self.reported = self.reported.max(report.sequence);
            self.reported_at = at;
            let size_bytes = report.update.size_bytes_min;
            self.recorded_size_bytes = self.recorded_size_bytes.max(size_bytes);
        } else if after.pending_trim.is_some() {
            // Telling it again would undo a truncation that is still to be carried out on storage.
            self.doubt();
        }
        self.merge(after);
        counts
    }

    /// Takes an inode of the metadata service into account, unless a newer one was already. Size, space and
    /// what writing did to the times stay the session's; so does what is to be cut, since that is adopted under the
    /// exclusive guard, and an inode that was read before it was cut does not look older.
    pub(crate) fn merge(&mut self, node: &Inode) {
        // Of two inodes of one moment, the one with the later version came later.
        let older = node.data_version < self.node.data_version;
        if older || node.attributes.changed < self.merged {
            return;
        }
        self.merged = node.attributes.changed;
        let own = std::mem::replace(&mut self.node, node.clone());
        self.node.pending_trim = own.pending_trim;
        self.keep_written(&own.attributes);
    }

    /// Puts back what writing did to the attributes.
    fn keep_written(&mut self, own: &Attributes) {
        let unreported = self.is_unreported();
        let attributes = &mut self.node.attributes;
        attributes.size_bytes = own.size_bytes;
        attributes.used_bytes = own.used_bytes;
        attributes.changed = attributes.changed.max(own.changed);
        if unreported {
            attributes.modified = own.modified;
        }
    }

    /// Takes over an inode of the metadata service as it is. Needs the exclusive guard, and an inode read under that
    /// guard. All writes should have been reported; what was not is kept.
    pub(crate) fn adopt(&mut self, node: Inode) {
        self.merged = node.attributes.changed;
        self.recorded_size_bytes = node.attributes.size_bytes;
        let own = std::mem::replace(&mut self.node, node);
        if self.is_unreported() {
            self.keep_written(&own.attributes);
            let size_bytes = &mut self.node.attributes.size_bytes;
            *size_bytes = self.recorded_size_bytes.max(*size_bytes);
        }
        self.doubtful = false;
    }

    /// Whether storage must be asked before the session can end, nothing being unstable.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.overhang || self.doubtful || self.is_uncut()
    }

    /// Whether the session may end: all is durable, and storage holds nothing beyond the size.
    pub(crate) fn is_endable(&self) -> bool {
        self.commit_scope().is_none() && !self.overhang && !self.doubtful
    }

    /// Whether the metadata service may have ended the session.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending
    }

    /// Whether the metadata service has yet to be told something.
    pub(crate) fn is_unreported(&self) -> bool {
        self.sequence > self.reported
    }

    /// Whether it has yet to be told of write number `need`.
    pub(crate) fn is_untold(&self, need: u64) -> bool {
        need > self.reported
    }

    /// Whether a truncation must be carried out on storage before the data is used.
    pub(crate) fn is_uncut(&self) -> bool {
        self.node.pending_trim.is_some()
    }

    /// Whether it is time to tell the metadata service.
    pub(crate) fn is_report_due(&self, now: Duration, interval: Duration) -> bool {
        self.is_unreported() && now.saturating_sub(self.reported_at) >= interval
    }

    /// Whether nobody wrote for `idle`.
    pub(crate) fn is_idle(&self, now: Duration, idle: Duration) -> bool {
        now.saturating_sub(self.written_at) >= idle
    }
}

#[cfg(test)]
mod tests;
