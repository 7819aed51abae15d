//! Who calls, as the protocol engine found out.

use sluice_types::{CallId, Credentials, FsError, SessionId};

/// Who calls and what for: made by the protocol engine from the call's credentials, after the export's squash.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user.
    pub credentials: Credentials,
    /// The client's call, if it must not be carried out twice.
    pub call: Option<CallId>,
    /// The export is read-only: changes give [`FsError::ReadOnly`].
    pub read_only: bool,
    /// The gateway's session when the caller's connection came: once it has ended, nothing is done for the caller any more. The
    /// present one if `None`.
    pub session: Option<SessionId>,
}

impl Caller {
    /// A caller who may change things, in a call that need not be recognised when repeated.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            call: None,
            read_only: false,
            session: None,
        }
    }

    /// Refuses a change through a read-only export.
    pub(crate) fn may_change(&self) -> Result<(), FsError> {
        if self.read_only {
            Err(FsError::ReadOnly)
        } else {
            Ok(())
        }
    }
}
