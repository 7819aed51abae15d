//! Sessions of gateways and storage daemons.
//!
//! A session is a number that was never given before, kept in memory; only the last number is durable. A
//! session from before a restart of this service is taken up again when it is renewed: its holder never
//! stopped. Sessions do not expire yet: that belongs to leases, which fence whoever lapsed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::{FsError, SessionId};
use sluice_wire::meta::OpenSession;

use crate::error::MetaError;
use crate::kv::{Engine, Isolation, KvError};
use crate::records::{decode_number, encode_number, keys};

/// At most so many sessions are kept; beyond, the one that was silent longest is forgotten.
const SESSIONS_MAX: usize = 65_536;

/// The longest name of a session, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// An open session.
#[derive(Clone, Debug)]
struct Session {
    name: String,
    /// By the service's monotonic clock.
    renewed_at: Duration,
}

/// The open sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    open: Mutex<HashMap<SessionId, Session>>,
}

impl Sessions {
    /// Opens or renews a session.
    ///
    /// # Errors
    /// [`FsError::SessionLapsed`] if the session to renew was never opened; [`FsError::NameTooLong`]; those of the
    /// store.
    pub async fn open(
        &self,
        engine: &Arc<dyn Engine>,
        request: &OpenSession,
        now: Duration,
    ) -> Result<SessionId, MetaError> {
        if request.name.len() > NAME_BYTES_MAX {
            return Err(FsError::NameTooLong.into());
        }
        let session = Session {
            name: request.name.clone(),
            renewed_at: now,
        };
        if let Some(known) = self.open.lock().get_mut(&request.session) {
            *known = session;
            return Ok(request.session);
        }
        let id = if request.session.raw() == 0 {
            new_number(engine).await?
        } else {
            let last = last_number(engine).await?;
            if request.session.raw() > last {
                return Err(FsError::SessionLapsed.into());
            }
            request.session
        };
        tracing::info!(session = %id, name = session.name, "session opened");
        let mut open = self.open.lock();
        if open.len() >= SESSIONS_MAX {
            let silent = open.iter().min_by_key(|(_, session)| session.renewed_at);
            let silent = silent.map(|(id, _)| *id);
            silent.and_then(|id| open.remove(&id));
        }
        open.insert(id, session);
        Ok(id)
    }

    /// Open sessions with their names and the time since they were renewed, by number.
    pub fn list(&self, now: Duration) -> Vec<(SessionId, String, Duration)> {
        let open = self.open.lock();
        let mut list: Vec<_> = open
            .iter()
            .map(|(id, session)| {
                let silent = now.saturating_sub(session.renewed_at);
                (*id, session.name.clone(), silent)
            })
            .collect();
        list.sort_unstable_by_key(|(id, ..)| *id);
        list
    }
}

async fn last_number(engine: &Arc<dyn Engine>) -> Result<u64, MetaError> {
    let mut transaction = engine.begin(Isolation::Latest);
    let last = transaction.get(&keys::last_session()).await?;
    last.map_or(Ok(0), |last| decode_number("last session", &last))
}

async fn new_number(engine: &Arc<dyn Engine>) -> Result<SessionId, MetaError> {
    loop {
        let mut transaction = engine.begin(Isolation::Serializable);
        let last = transaction.get(&keys::last_session()).await?;
        let last = last.map_or(Ok(0), |last| decode_number("last session", &last))?;
        transaction.put(keys::last_session(), encode_number(last + 1));
        match transaction.commit().await {
            Ok(point) => {
                engine.durable(point).await?;
                return Ok(SessionId::new(last + 1));
            }
            // Somebody else's session was opened: progress, so this ends.
            Err(KvError::Conflict) => tokio::task::yield_now().await,
            Err(error) => return Err(error.into()),
        }
    }
}
