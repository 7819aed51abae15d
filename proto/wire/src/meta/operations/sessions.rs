//! Sessions, and the leases that gateways hold under them.

use sluice_types::{FenceEpoch, InodeId, LeaseTerm, MapVersion, SessionId};

/// Opens (`session` zero) or renews a session. [`sluice_types::FsError::SessionLapsed`] if the session to renew has ended: what
/// was held under it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    /// The session to renew; zero for a new one.
    pub session: SessionId,
    /// Who asks, for administrators to read: host name and role.
    pub name: String,
    /// Of what the opener is the only one there can be (a process with a certain port of a certain machine); empty for
    /// nothing. A new session ends earlier ones of the same instance at once: whoever held them is gone.
    pub instance: String,
    /// Whether leases will be held under it.
    pub holds_leases: bool,
    /// The newest [`SessionOpened::term`] for which all older leases were given back.
    pub synced_term: LeaseTerm,
}

impl OpenSession {
    /// A new session, under which no leases are held.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            session: SessionId::new(0),
            name: name.into(),
            instance: String::new(),
            holds_leases: false,
            synced_term: LeaseTerm::new(0),
        }
    }

    /// The same, to renew `session`.
    #[must_use]
    pub fn renewing(self, session: SessionId) -> Self {
        Self { session, ..self }
    }
}

/// A session that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionOpened {
    /// The session.
    pub session: SessionId,
    /// How long it lives unless renewed, in milliseconds. The holder counts from when it sent the renewal.
    pub lifetime_ms: u32,
    /// The version of the cluster map, so that a change is seen within a renewal.
    pub map_version: MapVersion,
    /// Every session that ended up to now is fenced by requests to storage that name this epoch.
    pub fence_epoch: FenceEpoch,
    /// Read leases from before this term are not known to the service any more: their holder drops what it keeps under
    /// them and says so, and others wait with changes until then.
    pub term: LeaseTerm,
}

/// Ends a session: its holder has stopped using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseSession {
    /// The session.
    pub session: SessionId,
}

/// Waits until leases of the asking session are recalled, or about a second. The session is the context's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitRecalls {
    /// The last [`Recalls::sequence`] received: the read leases in it and before it were given back. Write leases are given
    /// back by [`super::UpdateWritten::end`].
    pub acknowledged: u64,
    /// As in [`OpenSession`].
    pub synced_term: LeaseTerm,
}

/// Which right a lease gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeaseKind {
    /// To answer from memory for the inode: its attributes, its data, and a directory's names.
    Read,
    /// To write the file, as the only one who knows its size and times.
    Write,
}

/// A lease to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall {
    /// Of which inode.
    pub inode: InodeId,
    /// Which lease.
    pub kind: LeaseKind,
}

/// Leases to give back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalls {
    /// To be acknowledged with the next [`AwaitRecalls`]; the same as before if there is nothing new.
    pub sequence: u64,
    /// As in [`SessionOpened`].
    pub term: LeaseTerm,
    /// What to give back, oldest first.
    pub recalls: Vec<Recall>,
}
