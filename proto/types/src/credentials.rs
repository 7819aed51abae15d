//! Who asks, and which call it is.

use bytes::Bytes;
use smallvec::SmallVec;

/// The most supplementary groups a caller has (AUTH_SYS carries 16).
pub const GROUPS_MAX: usize = 16;

/// Who asks, after the export's squash: decides every permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups, at most [`GROUPS_MAX`].
    pub groups: SmallVec<[u32; GROUPS_MAX]>,
}

impl Credentials {
    /// The superuser.
    pub fn root() -> Self {
        Self::new(0, 0)
    }

    /// A caller with no supplementary groups.
    pub fn new(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            groups: SmallVec::new(),
        }
    }

    /// Whether permission checks do not apply.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether the caller is in group `gid`.
    pub fn in_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// Names one call of one client, however often and through whichever gateway it is sent: the key
/// under which the reply of a non-idempotent call is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallId {
    /// AUTH_SYS machine name and the client's address without its port.
    pub client: Bytes,
    /// The client's number for the call.
    pub xid: u32,
    /// The procedure's number.
    pub procedure: u32,
    /// Checksum of the encoded arguments: tells a repeated call from a reused xid.
    pub checksum: u32,
}

impl CallId {
    /// Added to the procedure for the second change of a call; no protocol numbers its procedures so high.
    const SECOND_CHANGE: u32 = 1 << 31;

    /// The name for the second change of a call that makes two, each of them once.
    #[must_use]
    pub fn second_change(&self) -> Self {
        Self {
            procedure: self.procedure | Self::SECOND_CHANGE,
            ..self.clone()
        }
    }
}
