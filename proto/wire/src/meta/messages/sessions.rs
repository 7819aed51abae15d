//! Sessions and leases.

use sluice_types::{LiveSessions, SessionId};

use super::message;
use crate::WireError;
use crate::convert::{Field, enumeration, message, message_field};
use crate::meta::{
    AwaitRecalls, CloseSession, LeaseKind, OpenSession, Recall, Recalls, SessionOpened,
};

enumeration!(LeaseKind = message::LeaseKind, "a kind of lease" { Read, Write });

message!(
    OpenSession = message::OpenSession {
        session,
        name,
        instance,
        holds_leases,
        synced_term,
    }
);
message!(
    SessionOpened = message::SessionOpened {
        session,
        lifetime_ms,
        map_version,
        fence_epoch,
        term,
    }
);
message!(CloseSession = message::CloseSession { session });
message!(
    AwaitRecalls = message::AwaitRecalls {
        acknowledged,
        synced_term
    }
);
message!(Recall = message::Recall { inode, kind });
message!(
    Recalls = message::Recalls {
        sequence,
        term,
        recalls
    }
);

impl From<LiveSessions> for message::LiveSessions {
    fn from(sessions: LiveSessions) -> Self {
        Self {
            epoch: sessions.epoch.to_wire(),
            next_session: sessions.next_session.to_wire(),
            live: sessions.live.to_wire(),
        }
    }
}

impl TryFrom<message::LiveSessions> for LiveSessions {
    type Error = WireError;

    fn try_from(message: message::LiveSessions) -> Result<Self, WireError> {
        let live: Vec<SessionId> = Field::from_wire(message.live, "live")?;
        // A session is looked up in them.
        if let Some(pair) = live.windows(2).find(|pair| pair[0] >= pair[1]) {
            let found = format!("{} after {}", pair[1], pair[0]);
            return Err(WireError::invalid("live", "in ascending order", found));
        }
        Ok(Self {
            epoch: Field::from_wire(message.epoch, "epoch")?,
            next_session: Field::from_wire(message.next_session, "next_session")?,
            live,
        })
    }
}

message_field!(LiveSessions = message::LiveSessions);
