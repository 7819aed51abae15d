//! How an operation on the tree is carried out: its transaction, and what it has to wait for before and after it.
//!
//! Before: as long as another gateway's session has not given back what it kept from an earlier term, nothing is changed
//! (see [`crate::leases`]); and a file that another live session writes is known to that session alone, so its write lease
//! is recalled, and the operation run again once the file has no such writer any more.
//!
//! After: the commit is durable; other sessions have given back their read leases of what was changed; and what was seen of
//! others' changes has come so far too. Locks are held for none of these waits, and a place only for the first.

use std::time::Duration;

use sluice_types::{FsError, InodeId, SessionId};
use sluice_wire::meta::{CallContext, Operation, Outcome};
use smallvec::SmallVec;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{ATTEMPTS_MAX, MetaService};
use crate::error::MetaError;
use crate::kv::{CommitPoint, KvError};
use crate::leases::{Change, Sent};
use crate::namespace::{ForeignWriter, Namespace};
use crate::operations::{FreshInode, OperationContext, Plan, execute, plan};
use crate::replies::{Begun, RunningCall};

/// How often those who wait for a session look whether it has lapsed.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// How long a file's writer is waited for before the caller is told to try later: its storage may be away.
const WRITER_WAIT_MAX: Duration = Duration::from_secs(8);

/// What is asked for.
struct Asked<'a> {
    context: &'a CallContext,
    operation: &'a Operation,
    plan: &'a Plan,
    fresh: Result<FreshInode, FsError>,
}

/// An operation's result, and what it rests on.
struct Ran<'a> {
    result: Result<Outcome, MetaError>,
    point: CommitPoint,
    /// What it changed, if others hold leases.
    change: Option<Change<'a>>,
    /// What it saw but did not change, if others may be changing it.
    seen: SmallVec<[InodeId; 4]>,
}

/// How a run ended.
#[expect(clippy::large_enum_variant, reason = "one at a time, moved few times")]
enum Run<'a> {
    Ran(Ran<'a>),
    /// It needs a file that another session writes.
    Blocked(ForeignWriter),
}

impl MetaService {
    /// Runs an operation on the tree until it is durable and everyone sees it.
    pub(super) async fn transact(
        &self,
        context: &CallContext,
        operation: &Operation,
    ) -> Result<Outcome, MetaError> {
        let plan = plan(operation);
        if !self.sessions.is_live(context.session) {
            return Err(FsError::SessionLapsed.into());
        }
        if plan.writes {
            self.synced_beside(context.session).await?;
        }
        let mut call = match self.replies.begin(context, &plan).await? {
            Begun::First(call) => call,
            Begun::Again(result) => return result.map_err(MetaError::Refused),
        };
        let fresh = self.fresh_inode(&plan).await?;
        let asked = Asked {
            context,
            operation,
            plan: &plan,
            fresh,
        };
        let ran = self.run_without_writers(&asked, &mut call).await?;
        if let Some(change) = ran.change {
            self.recalled(context.session, &change).await?;
        }
        self.leases.unmarked(&ran.seen).await;
        ran.result
    }

    /// Runs an operation, again whenever a writer that it had to wait for is gone.
    async fn run_without_writers(
        &self,
        asked: &Asked<'_>,
        call: &mut RunningCall<'_>,
    ) -> Result<Ran<'_>, MetaError> {
        let end = self.clock.monotonic() + WRITER_WAIT_MAX;
        let mut waited: Option<(InodeId, watch::Receiver<()>)> = None;
        loop {
            let place = self.places.acquire().await;
            let place = place.map_err(|_| FsError::Unavailable)?;
            let blocked = match self.run(asked, call).await? {
                Run::Ran(ran) => {
                    self.durable(ran.point).await?;
                    return Ok(ran);
                }
                Run::Blocked(blocked) => blocked,
            };
            drop(place);
            if self.clock.monotonic() >= end {
                tracing::warn!(inode = %blocked.inode, writer = %blocked.writer, "a file's writer did not come to an end");
                return Err(FsError::Busy.into());
            }
            self.leases.recall_write(blocked.writer, blocked.inode);
            match &mut waited {
                Some((inode, news)) if *inode == blocked.inode => {
                    let _ = timeout(LOOK_INTERVAL, news.changed()).await;
                    self.end_lapsed().await?;
                }
                // Looked at once more: it may have ended before its end could be noticed.
                _ => waited = Some((blocked.inode, self.leases.news(blocked.inode))),
            }
        }
    }

    async fn run(
        &self,
        asked: &Asked<'_>,
        call: &mut RunningCall<'_>,
    ) -> Result<Run<'_>, MetaError> {
        if !asked.plan.writes {
            return self.attempt(asked, call).await;
        }
        let _locks = self.locks.hold(&asked.plan.locks).await;
        let run = self.attempt(asked, call).await?;
        if let Run::Ran(Ran {
            result: Ok(outcome),
            ..
        }) = &run
        {
            self.file_locks.note(outcome);
            let ended = self.writes.note(outcome, self.clock.monotonic());
            if let Some(inode) = ended {
                self.leases.writer_ended(inode);
            }
        }
        Ok(run)
    }

    /// Runs the operation in transactions until one commits.
    async fn attempt(
        &self,
        asked: &Asked<'_>,
        call: &mut RunningCall<'_>,
    ) -> Result<Run<'_>, MetaError> {
        let (context, plan) = (asked.context, asked.plan);
        let shared = self.sessions.share_leases();
        if shared && context.lease {
            self.grant(context.session, plan.leased);
        }
        for attempt in 0..ATTEMPTS_MAX {
            let operation_context = OperationContext {
                credentials: &context.credentials,
                session: context.session,
                now: self.clock.now(),
                fresh: asked.fresh,
                removals_front: &self.removals_front,
                file_locks: &self.file_locks,
            };
            let mut namespace = Namespace::begin(&*self.engine, plan.isolation, &self.names)
                .asked_by(context.session);
            let result = execute(&mut namespace, &operation_context, asked.operation).await;
            if let Some(writer) = namespace.foreign_writer()
                && plan.minds_writers
                && !self.sessions.has_ended(writer.writer)
            {
                return Ok(Run::Blocked(writer));
            }
            if result.is_err() {
                namespace.discard_writes();
            }
            call.record(&mut namespace, &result, operation_context.now);
            let changed = namespace.changed();
            let change =
                (shared && !changed.is_empty()).then(|| self.leases.begin_change(&changed));
            let seen = match shared {
                true => namespace.seen_unchanged(),
                false => SmallVec::new(),
            };
            let committed = {
                let _live = self.sessions.committing(context.session).await?;
                namespace.commit().await
            };
            match committed {
                Ok(point) => {
                    call.committed();
                    if !changed.is_empty() {
                        self.note_outsiders_change(context.session);
                    }
                    return Ok(Run::Ran(Ran {
                        result,
                        point,
                        change,
                        seen,
                    }));
                }
                Err(MetaError::Store(KvError::Conflict)) => {
                    self.metrics.conflicts.increment(1);
                    if attempt > 0 {
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Err(KvError::Conflict.into())
    }

    async fn durable(&self, point: CommitPoint) -> Result<(), MetaError> {
        if !self.engine.is_durable(point) {
            self.engine.durable(point).await?;
        }
        Ok(())
    }

    fn grant(&self, session: SessionId, inode: Option<InodeId>) {
        if let Some(inode) = inode
            && self.sessions.holds_leases(session)
        {
            self.leases.grant(session, inode);
        }
    }

    /// A change by someone who holds no leases, an administrator, while the only gateway is not kept track of: it drops all
    /// it has.
    fn note_outsiders_change(&self, session: SessionId) {
        if !self.sessions.holds_leases(session) && !self.sessions.share_leases() {
            self.sessions.begin_term();
        }
    }

    /// Waits until no session but `session` keeps anything from an earlier term.
    async fn synced_beside(&self, session: SessionId) -> Result<(), MetaError> {
        let mut news = self.sessions.news();
        while !self.sessions.unsynced_beside(session).is_empty() {
            let _ = timeout(LOOK_INTERVAL, news.changed()).await;
            self.end_lapsed().await?;
        }
        Ok(())
    }

    /// Waits until other sessions have given back what they held of a change. One that does not is ended.
    async fn recalled(&self, changer: SessionId, change: &Change<'_>) -> Result<(), MetaError> {
        for sent in change.recall(changer) {
            self.acknowledged(&sent).await?;
        }
        Ok(())
    }

    async fn acknowledged(&self, sent: &Sent) -> Result<(), MetaError> {
        let end = self.clock.monotonic() + self.config.session_lifetime;
        let mut news = self.sessions.news();
        while !self.sessions.has_ended(sent.session) {
            tokio::select! {
                () = sent.outbox.acknowledged(sent.sequence) => return Ok(()),
                _ = news.changed() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            if self.clock.monotonic() >= end {
                tracing::warn!(session = %sent.session, "a session does not give back its leases: it is ended");
                self.sessions.close(&self.engine, sent.session).await?;
            }
            self.end_lapsed().await?;
        }
        Ok(())
    }

    /// Ends sessions that were not renewed in time.
    pub(super) async fn end_lapsed(&self) -> Result<(), MetaError> {
        let now = self.clock.monotonic();
        if self.sessions.end_lapsed(&self.engine, now).await? {
            self.leases
                .forget(|session| self.sessions.has_ended(session));
        }
        Ok(())
    }
}
