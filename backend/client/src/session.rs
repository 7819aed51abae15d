//! The session with the metadata service: opened first, renewed by a background task for as long as the
//! client lives.

use std::sync::Weak;

use sluice_types::{FsError, SessionId};
use sluice_wire::meta::{CallContext, MetadataExt, OpenSession, SessionOpened};

use crate::Client;

const NONE: SessionId = SessionId::new(0);

impl Client {
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
        if self.session() == NONE {
            self.open_session().await?;
        }
        let known = self.map().version;
        self.refresh_map(known).await?;
        if self.map().groups.is_empty() {
            return Err(FsError::Unavailable);
        }
        Ok(())
    }

    async fn open_session(&self) -> Result<(), FsError> {
        let opened = self.ask_session(NONE).await?;
        self.session.send_replace(opened.session);
        Ok(())
    }

    async fn ask_session(&self, session: SessionId) -> Result<SessionOpened, FsError> {
        let name = self.config.name.clone();
        self.meta
            .run(&CallContext::internal(), OpenSession { session, name })
            .await
    }

    async fn renew(&self) -> Result<(), FsError> {
        let session = self.session();
        let opened = match self.ask_session(session).await {
            Ok(opened) => opened,
            Err(FsError::SessionLapsed | FsError::NotFound | FsError::Stale) => {
                tracing::warn!(%session, "the session is not known any more; opening another");
                return self.open_session().await;
            }
            Err(error) => return Err(error),
        };
        if opened.session != session {
            self.session.send_replace(opened.session);
        }
        let known = self.map().version;
        if opened.map_version > known {
            self.refresh_map(known).await?;
        }
        Ok(())
    }
}

/// Renews the session until the client is gone.
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
        if let Err(error) = client.renew().await {
            tracing::warn!(%error, "the session could not be renewed");
            client.metrics.renewal_failures.increment(1);
        }
    }
}
