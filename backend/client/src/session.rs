//! The session with the metadata service: opened first, renewed by a background task for as long as the client lives.
//!
//! A client is one session's life. What it does is done in that session's name; when the session has ended, so has the
//! client, and nothing is done any more. Whoever wants to go on connects another one, knowing that whatever the old one held
//! is lost.
//!
//! The session is valid for its lifetime since the last renewal that was answered was *sent*, less a sixteenth for clocks
//! that do not run alike. So while it is valid here, the metadata service has not let it lapse.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sluice_types::{FenceEpoch, FsError, LeaseTerm, SessionId};
use sluice_wire::meta::{CallContext, CloseSession, MetadataExt, OpenSession, SessionOpened};

use crate::Client;

/// The session as its holder knows it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) session: SessionId,
    /// The term of leases in which it was opened.
    pub(crate) term: LeaseTerm,
    /// By the monotonic clock.
    valid_until: Duration,
}

impl Client {
    /// Whether the session has surely not ended.
    pub fn is_session_valid(&self) -> bool {
        let valid_until = self.standing.read().valid_until;
        self.clock.monotonic() < valid_until && !self.ended.is_cancelled()
    }

    /// Whether it is known that the session has ended.
    pub fn has_session_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Ends when the session has ended.
    pub async fn session_ended(&self) {
        self.ended.cancelled().await;
    }

    /// Renews the session now. Requests to storage after this name all ends of sessions before it, so that nothing of those
    /// sessions comes after them.
    ///
    /// # Errors
    /// [`FsError::SessionLapsed`] if it has ended; those of the metadata service.
    pub async fn renew_session(&self) -> Result<(), FsError> {
        if self.ended.is_cancelled() {
            return Err(FsError::SessionLapsed);
        }
        let sent_at = self.clock.monotonic();
        let opened = match self.ask_session(self.session()).await {
            Ok(opened) => opened,
            Err(error @ (FsError::SessionLapsed | FsError::NotFound | FsError::Stale)) => {
                tracing::warn!(session = %self.session(), %error, "the session has ended");
                self.end_session();
                return Err(FsError::SessionLapsed);
            }
            Err(error) => return Err(error),
        };
        self.note_opened(&opened, sent_at);
        let known = self.map().version;
        if opened.map_version > known {
            self.refresh_map(known).await?;
        }
        Ok(())
    }

    /// Ends the session: nobody has to wait for it to lapse. The client does nothing any more after this.
    ///
    /// # Errors
    /// Those of the metadata service; the session then lapses.
    pub async fn close_session(&self) -> Result<(), FsError> {
        self.end_session();
        let session = self.session();
        let context = CallContext::internal();
        self.meta.run(&context, CloseSession { session }).await?;
        Ok(())
    }

    /// The newest fence epoch known.
    pub(crate) fn fence_epoch(&self) -> FenceEpoch {
        FenceEpoch::new(self.fence_epoch.load(Ordering::Acquire))
    }

    /// Opens the session and loads the map; tries until both are had.
    pub(crate) async fn open_session_and_map(&self) -> Result<(), FsError> {
        let mut pause = self.config.backoff_min;
        loop {
            match self.try_open().await {
                Err(error) if error.is_transient() => {
                    tracing::info!(%error, "waiting for the metadata service");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(self.config.backoff_max);
                }
                other => return other,
            }
        }
    }

    async fn try_open(&self) -> Result<(), FsError> {
        if self.session() == SessionId::default() {
            let sent_at = self.clock.monotonic();
            let opened = self.ask_session(SessionId::default()).await?;
            *self.standing.write() = Standing {
                session: opened.session,
                term: opened.term,
                valid_until: Duration::ZERO,
            };
            self.note_opened(&opened, sent_at);
        } else {
            // The map may be long in coming.
            self.renew_session().await?;
        }
        let known = self.map().version;
        self.refresh_map(known).await?;
        if self.map().groups.is_empty() {
            return Err(FsError::Unavailable);
        }
        Ok(())
    }

    async fn ask_session(&self, session: SessionId) -> Result<SessionOpened, FsError> {
        let open = OpenSession {
            session,
            name: self.config.name.clone(),
            instance: self.config.instance.clone(),
            holds_leases: self.config.holds_leases,
            synced_term: LeaseTerm::new(0),
        };
        self.meta.run(&CallContext::internal(), open).await
    }

    fn note_opened(&self, opened: &SessionOpened, sent_at: Duration) {
        self.fence_epoch
            .fetch_max(opened.fence_epoch.raw(), Ordering::AcqRel);
        let lifetime = Duration::from_millis(u64::from(opened.lifetime_ms));
        let valid_until = sent_at + lifetime - lifetime / 16;
        let mut standing = self.standing.write();
        standing.valid_until = standing.valid_until.max(valid_until);
    }

    fn end_session(&self) {
        self.ended.cancel();
    }
}

/// Renews the session until it has ended or the client is gone.
pub(crate) async fn keep(client: Weak<Client>) {
    loop {
        let Some(interval) = client
            .upgrade()
            .map(|client| client.config.renewal_interval)
        else {
            return;
        };
        tokio::time::sleep(interval).await;
        let Some(client) = client.upgrade() else {
            return;
        };
        match client.renew_session().await {
            Ok(()) => {}
            Err(FsError::SessionLapsed) => return,
            Err(error) => {
                tracing::warn!(%error, "the session could not be renewed");
                client.metrics.renewal_failures.increment(1);
            }
        }
    }
}
