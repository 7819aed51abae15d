//! Which operations may be sent again when nobody knows whether the first sending was carried out.

use super::{OpenSession, Operation};
use sluice_types::SessionId;

impl Operation {
    /// Whether carrying the operation out twice does and answers the same as once: true for all that
    /// only read, and for the cluster's own bookkeeping that names its end state.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Self::Lookup(_)
            | Self::GetInode(_)
            | Self::CheckAccess(_)
            | Self::ReadSymlink(_)
            | Self::ReadDirectory(_)
            | Self::FileSystemStatus(_)
            | Self::ListRemovals(_)
            | Self::ListInodes(_)
            | Self::GetMap(_)
            | Self::FindRemoval(_)
            | Self::ListSessions(_)
            | Self::ListWrites(_)
            | Self::TestLock(_)
            | Self::ListLocks(_)
            | Self::CheckMetadata(_) => true,
            // Sizes of a data version only grow to a least value, a trim or a removal that is done stays done,
            // a target is known by its own name, and a renewal names its session.
            Self::UpdateWritten(_)
            | Self::FinishTrim(_)
            | Self::FinishRemovals(_)
            | Self::RegisterTargets(_)
            | Self::CloseSession(_) => true,
            // What was not acknowledged is told again.
            Self::AwaitRecalls(_) => true,
            // What was told of grants is told by their numbers; what is given is given until it was told of.
            Self::AwaitLockGrants(_) => true,
            Self::OpenSession(OpenSession { session, .. }) => *session != SessionId::new(0),
            Self::SetInode(_)
            | Self::Create(_)
            | Self::MakeDirectory(_)
            | Self::MakeSymlink(_)
            | Self::MakeNode(_)
            | Self::Link(_)
            | Self::Remove(_)
            | Self::RemoveDirectory(_)
            | Self::Rename(_)
            | Self::BeginWrite(_)
            | Self::SetLayout(_) => false,
            // One that comes late takes or releases what its owner, answered elsewhere, has changed since.
            Self::Lock(_)
            | Self::Unlock(_)
            | Self::CancelLock(_)
            | Self::Share(_)
            | Self::Unshare(_)
            | Self::FreeLocks(_)
            | Self::ClearLocks(_) => false,
        }
    }
}
