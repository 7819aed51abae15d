//! Calls that are running now, and the duplicates that wait for their ends.
//!
//! Every entry, and everything that waits for one, is an operation that has a place of the service: there are never more of
//! both together than places.

use std::collections::HashMap;

use sluice_types::{FsError, Timestamp};
use sluice_wire::meta::{Outcome, encode_result};
use tokio::sync::oneshot;

use super::Replies;
use crate::error::MetaError;
use crate::namespace::Namespace;
use crate::records::{CallHash, ReplyRecord};

/// The running calls, and who waits for each.
#[derive(Debug, Default)]
pub(super) struct Running(HashMap<CallHash, Vec<oneshot::Sender<()>>>);

impl Running {
    /// The end of a running call, which comes as the end of the channel.
    pub(super) fn wait(&mut self, call: CallHash) -> Option<oneshot::Receiver<()>> {
        let waiting = self.0.get_mut(&call)?;
        let (sender, end) = oneshot::channel();
        waiting.push(sender);
        Some(end)
    }

    /// Notes that a call is running.
    pub(super) fn begin(&mut self, call: CallHash) {
        self.0.insert(call, Vec::new());
    }

    /// Notes that it has ended: wakes those who wait.
    fn end(&mut self, call: CallHash) {
        self.0.remove(&call);
    }
}

/// A call that is being carried out. It ends when this is dropped: those who wait for it then find its reply, or, if there
/// is none, the first of them carries it out.
#[derive(Debug)]
pub struct RunningCall<'a> {
    replies: &'a Replies,
    /// `None` if the call may be done twice.
    call: Option<CallHash>,
    /// Whether the transaction of the present attempt has the reply.
    is_written: bool,
}

impl<'a> RunningCall<'a> {
    pub(super) fn new(replies: &'a Replies, call: Option<CallHash>) -> Self {
        Self {
            replies,
            call,
            is_written: false,
        }
    }

    /// Writes the reply into the transaction that has the effect, if it is one to be kept.
    pub fn record(
        &mut self,
        namespace: &mut Namespace<'_>,
        result: &Result<Outcome, MetaError>,
        now: Timestamp,
    ) {
        let reply = self.call.zip(definite(result));
        self.is_written = reply.is_some();
        if let Some((call, result)) = reply {
            let reply = ReplyRecord {
                recorded_at: now,
                result: encode_result(result),
            };
            namespace.put_reply(call, &reply);
        }
    }

    /// Says that the transaction was committed. To be called without a wait between: from here on, whoever sends the call
    /// again gets the reply.
    pub fn committed(&mut self) {
        if let Some(call) = self.call.filter(|_| self.is_written) {
            self.replies.note(call);
        }
    }
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.replies.calls.lock().running.end(call);
        }
    }
}

/// The result, if the same call later would have to be answered with it: not what only says to ask again.
fn definite(result: &Result<Outcome, MetaError>) -> Option<Result<Outcome, FsError>> {
    match result {
        Ok(outcome) => Some(Ok(outcome.clone())),
        Err(MetaError::Refused(error)) => {
            let passes = error.is_transient() || *error == FsError::Internal;
            (!passes).then_some(Err(*error))
        }
        Err(MetaError::Store(_) | MetaError::Damaged { .. }) => None,
    }
}
