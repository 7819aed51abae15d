//! Fences: a session that has ended changes nothing on storage any more, however late its requests come.
//!
//! The metadata service numbers the ends of sessions (fence epochs) and says which are still open. Whoever takes over
//! what an ended session was doing names an epoch from after that end in its requests. A target that is asked with an epoch
//! it does not know of lets the request wait and asks the metadata service; then it refuses the sessions that have ended,
//! waits until what they had under way here is done, and goes on. So what is read and written under a new epoch comes after
//! everything of the old.
//!
//! Each request of a session passes its *gate*. Gates are made when they are needed and go with their sessions, so there are
//! no more of them than open sessions.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use sluice_fabric::CancellationToken;
use sluice_types::{FenceEpoch, FsError, LiveSessions, SessionId};
use tokio::sync::{Notify, watch};

/// Which sessions are served.
#[derive(Debug)]
pub(crate) struct Fences {
    sessions: RwLock<LiveSessions>,
    gates: Mutex<HashMap<SessionId, Arc<Gate>>>,
    /// The newest epoch somebody named.
    wanted: watch::Sender<FenceEpoch>,
    /// The newest epoch before which nothing is under way any more.
    reached: watch::Sender<FenceEpoch>,
}

/// A session's requests under way.
#[derive(Debug, Default)]
struct Gate {
    under_way: AtomicUsize,
    /// Cancelled when the session has ended.
    closed: CancellationToken,
    idle: Notify,
}

/// A request that may be carried out, under way as long as this lives.
#[derive(Debug)]
pub(crate) struct Pass(Arc<Gate>);

impl Pass {
    /// Ends when the session has ended: what has not begun to change anything should not begin.
    pub(crate) async fn fenced(&self) {
        self.0.closed.cancelled().await;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Gate {
    async fn drained(&self) {
        loop {
            let idle = self.idle.notified();
            if self.under_way.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Fences {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            sessions: RwLock::default(),
            gates: Mutex::default(),
            wanted: watch::Sender::default(),
            reached: watch::Sender::default(),
        })
    }

    /// Lets a request of `session` pass that names `epoch`, once that is reached.
    ///
    /// # Errors
    /// [`FsError::SessionLapsed`] if the session has ended; [`FsError::Unavailable`] if the asker gave up meanwhile.
    pub(crate) async fn enter(
        &self,
        session: SessionId,
        epoch: FenceEpoch,
        given_up: &CancellationToken,
    ) -> Result<Pass, FsError> {
        if *self.reached.borrow() < epoch {
            self.wanted.send_if_modified(|wanted| {
                let is_newer = epoch > *wanted;
                *wanted = epoch.max(*wanted);
                is_newer
            });
            let mut reached = self.reached.subscribe();
            tokio::select! {
                // The sender lives as long as this.
                _ = reached.wait_for(|reached| *reached >= epoch) => {}
                () = given_up.cancelled() => return Err(FsError::Unavailable),
            }
        }
        let pass = {
            let mut gates = self.gates.lock();
            let gate = gates.entry(session).or_default();
            gate.under_way.fetch_add(1, Ordering::AcqRel);
            Pass(Arc::clone(gate))
        };
        // Looked at behind the gate: whoever closes it sees this request, or this sees that it is closed.
        if self.sessions.read().is_fenced(session) {
            self.gates.lock().remove(&session);
            return Err(FsError::SessionLapsed);
        }
        Ok(pass)
    }

    /// Takes over what the metadata service says of sessions. The epoch is reached when the requests of those that have ended
    /// are done.
    pub(crate) fn learn(self: &Arc<Self>, sessions: LiveSessions) {
        let epoch = sessions.epoch;
        {
            let mut known = self.sessions.write();
            if (epoch, sessions.next_session) < (known.epoch, known.next_session) {
                return;
            }
            *known = sessions;
        }
        let closed = self.close_gates();
        if closed.is_empty() {
            self.reach(epoch);
            return;
        }
        let fences = Arc::clone(self);
        tokio::spawn(async move {
            for gate in closed {
                gate.drained().await;
            }
            fences.reach(epoch);
        });
    }

    /// The gates of sessions that have ended, closed.
    fn close_gates(&self) -> Vec<Arc<Gate>> {
        let sessions = self.sessions.read();
        let mut closed = Vec::new();
        self.gates.lock().retain(|session, gate| {
            let fenced = sessions.is_fenced(*session);
            if fenced {
                tracing::info!(%session, "a session has ended: it is fenced");
                gate.closed.cancel();
                closed.push(Arc::clone(gate));
            }
            !fenced
        });
        closed
    }

    fn reach(&self, epoch: FenceEpoch) {
        self.reached.send_if_modified(|reached| {
            let is_newer = epoch > *reached;
            *reached = epoch.max(*reached);
            is_newer
        });
    }

    /// Ends when somebody names an epoch that is not reached: the metadata service is to be asked at once.
    pub(crate) async fn wanted(&self) {
        let known = self.sessions.read().epoch;
        let mut wanted = self.wanted.subscribe();
        // The sender lives as long as this.
        let _ = wanted.wait_for(|wanted| *wanted > known).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(epoch: u64, live: &[u64]) -> LiveSessions {
        LiveSessions {
            epoch: FenceEpoch::new(epoch),
            next_session: SessionId::new(10),
            live: live.iter().copied().map(SessionId::new).collect(),
        }
    }

    async fn enter(fences: &Fences, session: u64, epoch: u64) -> Result<Pass, FsError> {
        let (session, epoch) = (SessionId::new(session), FenceEpoch::new(epoch));
        fences
            .enter(session, epoch, &CancellationToken::new())
            .await
    }

    #[tokio::test]
    async fn a_newer_epoch_waits_for_what_an_ended_session_has_under_way() {
        let fences = Fences::new();
        fences.learn(sessions(1, &[1, 2]));
        let old = enter(&fences, 1, 0).await.unwrap();
        let new = tokio::spawn({
            let fences = Arc::clone(&fences);
            async move { enter(&fences, 2, 2).await }
        });
        fences.wanted().await;
        fences.learn(sessions(2, &[2]));
        old.fenced().await;
        assert!(matches!(
            enter(&fences, 1, 0).await,
            Err(FsError::SessionLapsed)
        ));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(!new.is_finished());
        drop(old);
        new.await.unwrap().unwrap();
        let gates: Vec<u64> = fences.gates.lock().keys().map(|id| id.raw()).collect();
        assert_eq!(gates, [2], "gates go with their sessions");
    }

    #[tokio::test]
    async fn who_gives_up_does_not_wait_for_an_epoch() {
        let fences = Fences::new();
        let given_up = CancellationToken::new();
        given_up.cancel();
        let entered = fences.enter(SessionId::new(1), FenceEpoch::new(9), &given_up);
        assert!(matches!(entered.await, Err(FsError::Unavailable)));
    }

    #[tokio::test]
    async fn what_is_older_than_what_is_known_changes_nothing() {
        let fences = Fences::new();
        fences.learn(sessions(3, &[2]));
        fences.learn(sessions(2, &[1, 2]));
        assert!(enter(&fences, 1, 3).await.is_err());
        // The cluster's own work, and sessions opened since.
        assert!(enter(&fences, 0, 3).await.is_ok());
        assert!(enter(&fences, 12, 3).await.is_ok());
    }
}
