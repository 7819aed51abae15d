//! Serializable transactions and shared flushes over any store that can apply a batch durably.
//!
//! Commits are kept in memory, in an *overlay* over the base store, until a flush has made them durable:
//!
//! * A commit checks what it read, puts its writes into the overlay and is visible: some microseconds under
//!   one mutex, never any I/O.
//! * A flush takes the newest value of every key that changed since the last one, has the base apply them as
//!   one atomic and durable batch, and only then moves the durable point. Commits that come meanwhile
//!   gather for the next flush: the slower the disk, the more of them share one. A directory into which
//!   a thousand files were made between two flushes is written once.
//! * So the base never holds anything that is not durable, and an overlay entry whose sequence is beyond the
//!   durable point is exactly what a power cut could take back. Reads note the greatest such
//!   sequence they saw: that is the commit point of a reader.
//!
//! Conflicts: each read notes the sequence at which it looked. At commit, a key (or any key within a
//! range) with a later sequence in the overlay is a conflict. Overlay entries stay, even when
//! durable, while a transaction is running that began before them; so the overlay holds all there is to know.
//! A transaction needs no snapshot: if all of its reads still hold at its commit, it is as if it had run
//! then; if it saw a mixture, one of its reads no longer holds.
//!
//! Memory: the writes of commits since the last flush, plus those made while the oldest transaction runs. The
//! service bounds both by the number of operations it lets in at once. Callers that went away without waiting
//! leave commits behind that nobody counts: beyond [`UNFLUSHED_MAX`], a commit waits for a flush first.

mod state;
mod transaction;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::{CommitPoint, Isolation, Key, KeyRange, KvError};
use state::State;
pub(super) use transaction::OverlayTransaction;

/// So many commits may wait for a flush.
const UNFLUSHED_MAX: u64 = 16_384;

/// A pair to be written; `None` removes the key.
pub(super) type BatchEntry = (Key, Option<Bytes>);

/// The store below the overlay.
pub(super) trait Base: Send + Sync + fmt::Debug + 'static {
    /// The value under `key`.
    fn get(&self, key: &Key) -> Result<Option<Bytes>, KvError>;

    /// The first `limit` pairs of `range`, ascending.
    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Bytes)>, KvError>;

    /// Writes all of `batch` (each key at most once) or nothing; durable when it returns.
    fn apply(&self, batch: Vec<BatchEntry>) -> Result<(), KvError>;

    /// Why the store has failed beside all writes, in threads of its own; `None` while all is well.
    fn failure(&self) -> Option<KvError> {
        None
    }
}

/// How far flushing got, as waiters see it.
#[derive(Debug, Default)]
struct Progress {
    flushed: u64,
    failed: Option<String>,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flushed {
    /// The commits that it made durable.
    pub(super) commits: u64,
}

/// The overlay over a base, shared by an engine and its transactions.
#[derive(Debug)]
pub(super) struct GroupCommit<B> {
    base: B,
    state: Mutex<State>,
    /// Held during a flush: one at a time.
    flushing: Mutex<()>,
    /// Told of the commit that the flusher waits for, and of the end.
    work: Condvar,
    /// Told of the end.
    end: Condvar,
    progress: watch::Sender<Progress>,
    flushes: AtomicU64,
}

impl<B: Base> GroupCommit<B> {
    pub(super) fn new(base: B) -> Self {
        Self {
            base,
            state: Mutex::default(),
            flushing: Mutex::default(),
            work: Condvar::new(),
            end: Condvar::new(),
            progress: watch::Sender::default(),
            flushes: AtomicU64::new(0),
        }
    }

    pub(super) fn base(&self) -> &B {
        &self.base
    }

    pub(super) fn begin(self: &Arc<Self>, isolation: Isolation) -> OverlayTransaction<B> {
        OverlayTransaction::begin(self, isolation)
    }

    pub(super) fn is_durable(&self, point: CommitPoint) -> bool {
        point.sequence() == 0 || self.state.lock().flushed >= point.sequence()
    }

    /// Waits until another flush, or failure, covers `point`.
    pub(super) async fn wait_flushed(&self, point: CommitPoint) -> Result<(), KvError> {
        let mut progress = self.progress.subscribe();
        let done =
            |progress: &Progress| progress.flushed >= point.sequence() || progress.failed.is_some();
        match progress.wait_for(done).await {
            Ok(progress) if progress.flushed >= point.sequence() => Ok(()),
            Ok(progress) => Err(KvError::Failed {
                reason: progress.failed.clone().unwrap_or_default(),
            }),
            Err(_) => Err(KvError::Failed {
                reason: "the engine was closed".into(),
            }),
        }
    }

    /// Waits until not too many commits wait for a flush.
    async fn wait_for_room(&self) -> Result<(), KvError> {
        loop {
            let flushed = {
                let state = self.state.lock();
                if state.committed - state.flushed < UNFLUSHED_MAX {
                    return Ok(());
                }
                state.flushed
            };
            self.wait_flushed(CommitPoint::new(flushed + 1)).await?;
        }
    }

    /// Makes everything committed so far durable. Blocks for as long as the base takes.
    pub(super) fn flush(&self) -> Result<Flushed, KvError> {
        let _one_at_a_time = self.flushing.lock();
        let (batch, from, to) = self.unflushed_batch()?;
        if from == to {
            return Ok(Flushed { commits: 0 });
        }
        let applied = std::panic::catch_unwind(AssertUnwindSafe(|| self.base.apply(batch)));
        // Nobody may wait for ever because the base panicked.
        let applied = applied.unwrap_or_else(|_| {
            Err(KvError::Engine {
                doing: "writing a batch",
                reason: "the store panicked".into(),
            })
        });
        if let Err(error) = applied {
            tracing::error!(%error, "a flush failed; the metadata store takes no more commits");
            self.mark_failed(&error.to_string());
            return Err(error);
        }
        self.flushes.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        state.flushed = to;
        state.prune();
        drop(state);
        self.progress.send_modify(|progress| progress.flushed = to);
        Ok(Flushed { commits: to - from })
    }

    /// How many flushes there were that had something to do.
    pub(super) fn flush_count(&self) -> u64 {
        self.flushes.load(Ordering::Relaxed)
    }

    /// Why no more commits are taken.
    pub(super) fn failure(&self) -> Option<String> {
        self.state.lock().failed.clone()
    }

    /// Blocks until there are commits to flush (true) or the engine is closed (false).
    ///
    /// Those who were woken by the last flush tend to be back with their next commit in no time. A flush that
    /// went off with the first of them would leave all others to the next one, and take turns like that
    /// for ever; so it waits for as many as the last one had, for at most `patience`.
    pub(super) fn wait_for_commits(&self, last: Flushed, patience: Duration) -> bool {
        let mut state = self.state.lock();
        state.wake_at = state.flushed + 1;
        while !state.closed && !state.has_unflushed() {
            self.work.wait(&mut state);
        }
        if !state.closed && state.committed < state.flushed + last.commits {
            state.wake_at = state.flushed + last.commits;
            self.work.wait_for(&mut state, patience);
        }
        // Nobody needs to wake who is not asleep.
        state.wake_at = u64::MAX;
        !state.closed
    }

    /// Asks the base every `interval` whether it has failed, until it has or the engine is closed.
    ///
    /// A flush may be under way meanwhile, and never end: a base that waits for its own threads to make room waits for
    /// ever when they have died. Nobody else may wait with it.
    pub(super) fn watch_base(&self, interval: Duration) {
        loop {
            let mut state = self.state.lock();
            if !state.closed {
                self.end.wait_for(&mut state, interval);
            }
            if state.closed || state.failed.is_some() {
                return;
            }
            drop(state);
            if let Some(error) = self.base.failure() {
                tracing::error!(%error, "the metadata store has failed and takes no more commits");
                self.mark_failed(&error.to_string());
            }
        }
    }

    /// Ends [`Self::wait_for_commits`] and [`Self::watch_base`] for good.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_all();
        self.end.notify_all();
    }

    /// Takes no more commits, and lets nobody wait for those that are not durable.
    pub(super) fn fail(&self, reason: &str) {
        let _no_flush_meanwhile = self.flushing.lock();
        self.mark_failed(reason);
    }

    /// The newest values of all that is not durable, and the sequences it spans.
    fn unflushed_batch(&self) -> Result<(Vec<BatchEntry>, u64, u64), KvError> {
        let state = self.state.lock();
        state.check_usable()?;
        let batch = state
            .overlay
            .iter()
            .filter(|(_, version)| version.sequence > state.flushed)
            .map(|(key, version)| (key.clone(), version.value.clone()))
            .collect();
        Ok((batch, state.flushed, state.committed))
    }

    /// What was noted first stays: what comes after follows from it.
    fn mark_failed(&self, reason: &str) {
        let mut state = self.state.lock();
        let reason = state
            .failed
            .get_or_insert_with(|| reason.to_owned())
            .clone();
        drop(state);
        self.progress
            .send_modify(|progress| progress.failed = Some(reason));
    }
}

#[cfg(test)]
mod tests;
