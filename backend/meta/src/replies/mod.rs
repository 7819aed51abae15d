//! Replies of calls that must not be done twice.
//!
//! A client that gets no reply sends its call again, to this gateway or another. Done again, a REMOVE that
//! succeeded would fail, and a truncation would cut what others wrote since. So the result of a change that comes with a
//! [`sluice_types::CallId`] is recorded in the very transaction that makes the change: either both are there or neither,
//! whatever crashes. Whoever sends the call again gets what is recorded. Refusals are recorded too, since the same call might
//! be granted later, when its client has long been told that it was not; what only says to ask again is not.
//!
//! State, all under one lock that is held for some steps in memory:
//!
//! * `running`: the calls being carried out. A duplicate waits for its first to end, and then finds its reply; if there is none
//!   (it was told to ask again, or was dropped), the first that waits carries it out.
//! * `recorded`: an index of what is recorded, hash and age, in memory. That a call is new, as nearly all are, costs one look
//!   into it and never a read of the store. The replies themselves are in the store alone.
//!
//! Invariant: a call whose record is visible is running or in the index, until the removal of the record is visible. So no two runs
//! of one call overlap, none follows one that was recorded, and the store needs no check of its own. One service is active for a
//! store at a time; the next one builds the index from the records.
//!
//! Bounds: replies are kept for [`crate::MetaConfig::replies_kept`] (longer by some seconds until they are removed), at most
//! [`crate::MetaConfig::replies_max`] of them and 65,536 more while the oldest are being removed. Memory is summed up in `index`;
//! on disk each takes what its outcome does, 60 bytes for a refusal and up to about 1 KiB for a RENAME. Running calls and those who
//! wait for them have places of the service.

mod call_hash;
mod index;
mod pruning;
mod reload;
mod running;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::{Clock, FsError};
use sluice_wire::meta::{CallContext, Outcome, decode_result};
use tokio::sync::oneshot;

pub use running::RunningCall;

use crate::config::MetaConfig;
use crate::error::MetaError;
use crate::kv::{Engine, Isolation};
use crate::metrics::ReplyMetrics;
use crate::operations::Plan;
use crate::records::{CallHash, ReplyRecord, keys};
use call_hash::CallHasher;
use index::Index;
use running::Running;

/// The recorded replies, and the calls that are running.
pub struct Replies {
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
    hasher: CallHasher,
    kept: Duration,
    count_max: usize,
    calls: Mutex<Calls>,
    /// Held while old replies are removed.
    pruning: tokio::sync::Mutex<()>,
    /// Whether a task removes old replies.
    is_pruning: AtomicBool,
    metrics: ReplyMetrics,
}

#[derive(Debug, Default)]
struct Calls {
    running: Running,
    recorded: Index,
}

/// How a call is to go on.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, moved once")]
pub enum Begun<'a> {
    /// It is to be carried out.
    First(RunningCall<'a>),
    /// It was carried out before: its reply, which is durable.
    Again(Result<Outcome, FsError>),
}

/// What is known of a call.
enum Known {
    /// Nothing: it is noted as running now.
    New,
    /// It is running; the channel ends when it does.
    Running(oneshot::Receiver<()>),
    Recorded,
}

impl Replies {
    /// The replies recorded in `engine`.
    ///
    /// # Errors
    /// Those of the store; [`MetaError::Damaged`].
    pub async fn open(
        engine: Arc<dyn Engine>,
        file_system_key: u128,
        config: &MetaConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, MetaError> {
        let recorded = reload::index(&engine, &*clock, config.replies_kept).await?;
        let replies = Arc::new(Self {
            engine,
            clock,
            hasher: CallHasher::new(file_system_key),
            kept: config.replies_kept,
            count_max: config.replies_max,
            calls: Mutex::new(Calls {
                recorded,
                ..Calls::default()
            }),
            pruning: tokio::sync::Mutex::default(),
            is_pruning: AtomicBool::new(false),
            metrics: ReplyMetrics::new(),
        });
        replies.prune_soon();
        Ok(replies)
    }

    /// Begins a call, or gives the reply that is recorded of it; waits if it is running. Calls without a number, and those
    /// that change nothing, always begin.
    ///
    /// # Errors
    /// Those of the store; [`MetaError::Damaged`] if the recorded reply cannot be read.
    pub async fn begin(
        self: &Arc<Self>,
        context: &CallContext,
        plan: &Plan,
    ) -> Result<Begun<'_>, MetaError> {
        let Some(call) = context.call.as_ref().filter(|_| plan.writes) else {
            return Ok(Begun::First(RunningCall::new(self, None)));
        };
        self.make_room().await?;
        let call = self.hasher.hash(call, &context.credentials);
        let mut is_missing = false;
        loop {
            match self.look_up(call) {
                Known::New => return Ok(Begun::First(RunningCall::new(self, Some(call)))),
                Known::Running(end) => {
                    self.metrics.awaited.increment(1);
                    // It never sends anything.
                    let _ended = end.await;
                }
                Known::Recorded => match self.read(call).await? {
                    Some(result) => {
                        self.metrics.replayed.increment(1);
                        return Ok(Begun::Again(result));
                    }
                    None if is_missing => {
                        let _no_removal_meanwhile = self.pruning.lock().await;
                        self.calls.lock().recorded.forget(call);
                    }
                    None => {
                        // It is just being removed; the index will say so when that is over.
                        is_missing = true;
                        drop(self.pruning.lock().await);
                    }
                },
            }
        }
    }

    fn look_up(&self, call: CallHash) -> Known {
        let mut calls = self.calls.lock();
        if let Some(end) = calls.running.wait(call) {
            return Known::Running(end);
        }
        if calls.recorded.contains(call) {
            return Known::Recorded;
        }
        calls.running.begin(call);
        Known::New
    }

    /// The recorded result, once it is durable.
    async fn read(&self, call: CallHash) -> Result<Option<Result<Outcome, FsError>>, MetaError> {
        let mut transaction = self.engine.begin(Isolation::Latest);
        let value = transaction.get(&keys::reply(call)).await?;
        let point = transaction.commit().await?;
        self.engine.durable(point).await?;
        let Some(value) = value else {
            return Ok(None);
        };
        let result = decode_result(ReplyRecord::decode(&value)?.result);
        let result = result.map_err(|error| MetaError::Damaged {
            record: "reply",
            expected: "the result of an operation",
            found: error.to_string(),
        });
        result.map(Some)
    }

    /// Notes that a reply is recorded.
    fn note(&self, call: CallHash) {
        let expires = self.clock.monotonic() + self.kept;
        let mut calls = self.calls.lock();
        calls.recorded.insert(call, expires);
        self.metrics.recorded.increment(1);
        self.metrics.kept.set(calls.recorded.len() as f64);
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies")
            .field("kept", &self.kept)
            .field("count_max", &self.count_max)
            .finish_non_exhaustive()
    }
}
