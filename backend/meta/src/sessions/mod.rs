//! Sessions: who is there, and under which number what is held.
//!
//! A session is a number that is never given again, with a durable record for as long as it is open. It ends when it is
//! closed, when another of the same instance is opened, or when it was not renewed for its lifetime (by this service's clock,
//! since the renewal was received; its holder counts from when it was sent, and a little less). Each end makes a new
//! *fence epoch*. An end goes in steps, so that nothing is done in a session's name after anyone was told that it ended:
//!
//! 1. It is marked: calls in its name are refused with `SessionLapsed`.
//! 2. Commits under way in its name are waited for: each holds [`Sessions::committing`] from its last look at the mark on.
//! 3. Its record goes and the epoch grows, in one durable transaction.
//! 4. Whoever waited for it goes on; storage learns the epoch from its next report, or from the first request that names it.
//!
//! Lapsed sessions are ended by whoever comes along: every renewal, report and wait looks ([`Sessions::end_lapsed`]). After a
//! restart of the service all open sessions count as renewed just then.
//!
//! A session that holds leases also says up to which *term* it gave back what the service does not know of; see
//! [`crate::leases`].

mod durable;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use sluice_types::{FenceEpoch, FsError, LeaseTerm, LiveSessions, SessionId};
use sluice_wire::meta::OpenSession;
use tokio::sync::{Mutex, RwLockReadGuard, watch};

use crate::error::MetaError;
use crate::kv::Engine;
use crate::records::SessionRecord;

/// At most so many sessions are open; further ones are refused until one ends.
const SESSIONS_MAX: usize = 65_536;

/// The longest name of a session or an instance, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// An open session.
#[derive(Clone, Debug)]
struct Session {
    record: SessionRecord,
    /// By the service's monotonic clock.
    renewed_at: Duration,
    /// Its holder keeps nothing under leases from before this term.
    synced_term: LeaseTerm,
    /// It is being ended.
    ending: bool,
}

#[derive(Debug)]
struct State {
    open: BTreeMap<SessionId, Session>,
    /// How many of them hold leases.
    lease_holders: usize,
    epoch: FenceEpoch,
    next: SessionId,
    term: LeaseTerm,
}

/// The open sessions.
#[derive(Debug)]
pub struct Sessions {
    lifetime: Duration,
    state: RwLock<State>,
    /// Held while sessions begin or end.
    changing: Mutex<()>,
    /// Shared by commits in a session's name.
    commits: tokio::sync::RwLock<()>,
    /// Changes when a session ended or gave back an old term's leases.
    news: watch::Sender<()>,
}

/// What is told with each renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The session.
    pub session: SessionId,
    /// The present fence epoch.
    pub epoch: FenceEpoch,
    /// The present term of leases.
    pub term: LeaseTerm,
}

impl Sessions {
    /// Loads the open sessions, or ends all of them: `forget_all` is for a service that is started together with all who
    /// could hold one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(
        engine: &Arc<dyn Engine>,
        lifetime: Duration,
        forget_all: bool,
        now: Duration,
    ) -> Result<Self, MetaError> {
        let stored = durable::load(engine, forget_all).await?;
        let open = stored.open.into_iter();
        let open: BTreeMap<SessionId, Session> = open
            .map(|(id, record)| (id, Session::new(record, LeaseTerm::new(0), now)))
            .collect();
        let lease_holders = open.values().filter(|session| session.record.holds_leases);
        let state = State {
            lease_holders: lease_holders.count(),
            open,
            epoch: stored.epoch,
            next: stored.next,
            // Terms within one start of the service count up from here.
            term: LeaseTerm::new(stored.starts << 32),
        };
        Ok(Self {
            lifetime,
            state: RwLock::new(state),
            changing: Mutex::default(),
            commits: tokio::sync::RwLock::default(),
            news: watch::Sender::default(),
        })
    }

    /// Opens or renews a session.
    ///
    /// # Errors
    /// [`FsError::SessionLapsed`] if the session to renew has ended; [`FsError::NameTooLong`]; [`FsError::Busy`] beyond 65,536
    /// sessions; those of the store.
    pub async fn begin_or_renew(
        &self,
        engine: &Arc<dyn Engine>,
        request: &OpenSession,
        now: Duration,
    ) -> Result<Standing, MetaError> {
        if request.name.len().max(request.instance.len()) > NAME_BYTES_MAX {
            return Err(FsError::NameTooLong.into());
        }
        if request.session.raw() == 0 {
            return self.begin(engine, request, now).await;
        }
        self.renew(request.session, request.synced_term, now)
    }

    /// Notes a sign of life; see [`Session::synced_term`] for `synced_term`.
    ///
    /// # Errors
    /// [`FsError::SessionLapsed`].
    pub fn renew(
        &self,
        id: SessionId,
        synced_term: LeaseTerm,
        now: Duration,
    ) -> Result<Standing, MetaError> {
        let mut state = self.state.write();
        let (epoch, term) = (state.epoch, state.term);
        let session = state.open.get_mut(&id).filter(|session| !session.ending);
        let session = session.ok_or(FsError::SessionLapsed)?;
        session.renewed_at = now;
        let synced = synced_term.min(term);
        if synced > session.synced_term {
            session.synced_term = synced;
            self.news.send_replace(());
        }
        Ok(Standing {
            session: id,
            epoch,
            term,
        })
    }

    /// How a session stands, without a sign of life.
    ///
    /// # Errors
    /// [`FsError::SessionLapsed`].
    pub fn standing(&self, id: SessionId) -> Result<Standing, MetaError> {
        let state = self.state.read();
        let session = state.open.get(&id).filter(|session| !session.ending);
        session.map_or(Err(FsError::SessionLapsed.into()), |_| {
            Ok(Standing {
                session: id,
                epoch: state.epoch,
                term: state.term,
            })
        })
    }

    /// Begins a new term: all sessions drop what they keep from before it.
    pub fn begin_term(&self) {
        let mut state = self.state.write();
        if state.lease_holders > 0 {
            state.term = LeaseTerm::new(state.term.raw() + 1);
            drop(state);
            self.news.send_replace(());
        }
    }

    async fn begin(
        &self,
        engine: &Arc<dyn Engine>,
        request: &OpenSession,
        now: Duration,
    ) -> Result<Standing, MetaError> {
        let _turn = self.changing.lock().await;
        if self.state.read().open.len() >= SESSIONS_MAX {
            return Err(FsError::Busy.into());
        }
        let predecessors = self.of_instance(&request.instance);
        self.stop(&predecessors).await;
        let record = SessionRecord {
            name: request.name.clone(),
            instance: request.instance.clone(),
            holds_leases: request.holds_leases,
        };
        let (id, epoch) = durable::begin(engine, &record, &predecessors).await?;
        tracing::info!(session = %id, name = record.name, "session opened");
        let standing = {
            let mut state = self.state.write();
            state.remove(&predecessors, epoch);
            state.insert(id, record, now)
        };
        self.news.send_replace(());
        Ok(standing)
    }

    fn of_instance(&self, instance: &str) -> Vec<SessionId> {
        if instance.is_empty() {
            return Vec::new();
        }
        let state = self.state.read();
        let same = state.open.iter();
        let same = same.filter(|(_, session)| session.record.instance == instance);
        same.map(|(id, _)| *id).collect()
    }

    /// Ends a session; no effect if it has ended.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn close(&self, engine: &Arc<dyn Engine>, id: SessionId) -> Result<(), MetaError> {
        let _turn = self.changing.lock().await;
        self.end(engine, &[id]).await
    }

    /// Ends all sessions that were not renewed in time; whether there were any.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end_lapsed(
        &self,
        engine: &Arc<dyn Engine>,
        now: Duration,
    ) -> Result<bool, MetaError> {
        if self.lapsed(now).is_empty() {
            return Ok(false);
        }
        let _turn = self.changing.lock().await;
        let lapsed = self.lapsed(now);
        for id in &lapsed {
            tracing::warn!(session = %id, "a session was not renewed in time and has ended");
        }
        self.end(engine, &lapsed).await?;
        Ok(!lapsed.is_empty())
    }

    fn lapsed(&self, now: Duration) -> Vec<SessionId> {
        let state = self.state.read();
        let open = state.open.iter();
        let lapsed = open.filter(|(_, session)| now > session.renewed_at + self.lifetime);
        lapsed.map(|(id, _)| *id).collect()
    }

    /// Needs the turn.
    async fn end(&self, engine: &Arc<dyn Engine>, ids: &[SessionId]) -> Result<(), MetaError> {
        let ids: Vec<SessionId> = {
            let state = self.state.read();
            let known = ids.iter().filter(|id| state.open.contains_key(id));
            known.copied().collect()
        };
        if ids.is_empty() {
            return Ok(());
        }
        self.stop(&ids).await;
        let epoch = durable::end(engine, &ids).await?;
        self.state.write().remove(&ids, epoch);
        self.news.send_replace(());
        Ok(())
    }

    /// Lets nothing be done in their names any more.
    async fn stop(&self, ids: &[SessionId]) {
        if ids.is_empty() {
            return;
        }
        {
            let mut state = self.state.write();
            for id in ids {
                if let Some(session) = state.open.get_mut(id) {
                    session.ending = true;
                }
            }
        }
        drop(self.commits.write().await);
    }

    /// Whether calls in the session's name are carried out: it is open, or there is none.
    pub fn is_live(&self, id: SessionId) -> bool {
        let state = self.state.read();
        id.raw() == 0 || state.open.get(&id).is_some_and(|session| !session.ending)
    }

    /// Whether the session has ended for good, so that what it held can be taken.
    pub fn has_ended(&self, id: SessionId) -> bool {
        !self.state.read().open.contains_key(&id)
    }

    /// To be held over a commit in the session's name.
    ///
    /// # Errors
    /// [`FsError::SessionLapsed`].
    pub async fn committing(&self, id: SessionId) -> Result<RwLockReadGuard<'_, ()>, FsError> {
        let guard = self.commits.read().await;
        if self.is_live(id) {
            Ok(guard)
        } else {
            Err(FsError::SessionLapsed)
        }
    }

    /// The open sessions, for storage.
    pub fn live(&self) -> LiveSessions {
        let state = self.state.read();
        LiveSessions {
            epoch: state.epoch,
            next_session: state.next,
            live: state.open.keys().copied().collect(),
        }
    }

    /// Whether a session holds leases.
    pub fn holds_leases(&self, id: SessionId) -> bool {
        let state = self.state.read();
        let session = state.open.get(&id).filter(|session| !session.ending);
        session.is_some_and(|session| session.record.holds_leases)
    }

    /// Whether there are two sessions that hold leases, so that they are to be kept track of.
    pub fn share_leases(&self) -> bool {
        self.state.read().lease_holders > 1
    }

    /// Sessions other than `id` that may keep something under leases from before the present term.
    pub fn unsynced_beside(&self, id: SessionId) -> Vec<SessionId> {
        let state = self.state.read();
        if state.lease_holders == 0 {
            return Vec::new();
        }
        let others = state.open.iter();
        let unsynced = others.filter(|(other, session)| {
            **other != id && session.record.holds_leases && session.synced_term < state.term
        });
        unsynced.map(|(other, _)| *other).collect()
    }

    /// Tells when a session ended or gave back the leases of an old term.
    pub fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.state.read().open.len()
    }

    /// Open sessions with their names and the time since they were renewed, by number.
    pub fn list(&self, now: Duration) -> Vec<(SessionId, String, Duration)> {
        let state = self.state.read();
        let list = state.open.iter().map(|(id, session)| {
            let silent = now.saturating_sub(session.renewed_at);
            (*id, session.record.name.clone(), silent)
        });
        list.collect()
    }
}

impl Session {
    fn new(record: SessionRecord, synced_term: LeaseTerm, now: Duration) -> Self {
        Self {
            record,
            renewed_at: now,
            synced_term,
            ending: false,
        }
    }
}

impl State {
    fn insert(&mut self, id: SessionId, record: SessionRecord, now: Duration) -> Standing {
        self.next = SessionId::new(id.raw() + 1);
        if record.holds_leases {
            self.lease_holders += 1;
            if self.lease_holders == 2 {
                // Until now nobody kept track of what the first one keeps.
                self.term = LeaseTerm::new(self.term.raw() + 1);
            }
        }
        let session = Session::new(record, self.term, now);
        let _ = self.open.insert(id, session);
        Standing {
            session: id,
            epoch: self.epoch,
            term: self.term,
        }
    }

    fn remove(&mut self, ids: &[SessionId], epoch: FenceEpoch) {
        for id in ids {
            if let Some(session) = self.open.remove(id) {
                self.lease_holders -= usize::from(session.record.holds_leases);
            }
        }
        self.epoch = epoch;
    }
}
