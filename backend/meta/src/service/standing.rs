//! Sessions as their holders see them: opened, renewed, closed, and told of leases to give back.

use std::time::Duration;

use sluice_types::SessionId;
use sluice_wire::meta::{
    AwaitRecalls, CloseSession, Done, OpenSession, Outcome, Recalls, SessionOpened,
};

use super::MetaService;
use crate::error::MetaError;

/// How long a session that waits for recalls is kept waiting.
const RECALL_POLL: Duration = Duration::from_secs(1);

impl MetaService {
    pub(super) async fn open_session(&self, request: &OpenSession) -> Result<Outcome, MetaError> {
        self.end_lapsed().await?;
        let now = self.clock.monotonic();
        let standing = self
            .sessions
            .begin_or_renew(&self.engine, request, now)
            .await?;
        if request.session != standing.session {
            self.leases
                .forget(|session| self.sessions.has_ended(session));
        }
        self.update_gauges().await?;
        let lifetime = self.config.session_lifetime.as_millis();
        Ok(Outcome::OpenSession(SessionOpened {
            session: standing.session,
            lifetime_ms: u32::try_from(lifetime).unwrap_or(u32::MAX),
            map_version: self.cluster.version(),
            fence_epoch: standing.epoch,
            term: standing.term,
        }))
    }

    pub(super) async fn close_session(&self, close: &CloseSession) -> Result<Outcome, MetaError> {
        self.sessions.close(&self.engine, close.session).await?;
        self.leases
            .forget(|session| self.sessions.has_ended(session));
        Ok(Outcome::CloseSession(Done))
    }

    /// Counts as a sign of life too.
    pub(super) async fn await_recalls(
        &self,
        session: SessionId,
        wait: &AwaitRecalls,
    ) -> Result<Outcome, MetaError> {
        let mut news = self.sessions.news();
        let now = self.clock.monotonic();
        self.sessions.renew(session, wait.synced_term, now)?;
        self.leases.acknowledge(session, wait.acknowledged);
        let outbox = self.leases.outbox(session);
        let over = tokio::time::sleep(RECALL_POLL);
        tokio::pin!(over);
        loop {
            let term = self.sessions.standing(session)?.term;
            let told = outbox.told();
            if told.is_some() || over.is_elapsed() || term > wait.synced_term {
                let (sequence, recalls) = told.unwrap_or((wait.acknowledged, Vec::new()));
                return Ok(Outcome::AwaitRecalls(Recalls {
                    sequence,
                    term,
                    recalls,
                }));
            }
            tokio::select! {
                () = outbox.filled() => {}
                _ = news.changed() => {}
                () = &mut over => {}
            }
        }
    }
}
