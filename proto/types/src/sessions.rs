//! Which sessions there are, as storage needs to know it.

use crate::{FenceEpoch, SessionId};

/// The sessions that storage may serve, as they were when the last one before [`LiveSessions::epoch`] had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveSessions {
    /// Grows each time a session ends.
    pub epoch: FenceEpoch,
    /// The next session that will be opened: those from here on are not known here.
    pub next_session: SessionId,
    /// All open ones, ascending.
    pub live: Vec<SessionId>,
}

impl LiveSessions {
    /// Whether the session has ended, so that nothing may be done in its name any more. The cluster's own work, session zero,
    /// never ends.
    pub fn is_fenced(&self, session: SessionId) -> bool {
        session.raw() != 0
            && session < self.next_session
            && self.live.binary_search(&session).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_that_ended_are_fenced() {
        let session = SessionId::new;
        let sessions = LiveSessions {
            epoch: FenceEpoch::new(3),
            next_session: session(6),
            live: vec![session(2), session(5)],
        };
        let fenced: Vec<u64> = (0..8)
            .filter(|number| sessions.is_fenced(session(*number)))
            .collect();
        assert_eq!(fenced, [1, 3, 4]);
        assert!(!LiveSessions::default().is_fenced(session(1)));
    }
}
