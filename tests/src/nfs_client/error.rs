//! How a call can end other than well.

use std::time::Duration;

use sluice_proto_nfs::XdrError;
use sluice_proto_nfs::mount::MountStatus;
use sluice_proto_nfs::nfs3::{nfsstat3, status_name};
use sluice_proto_nfs::rpc::ReplyStatus;

/// Why a call yielded nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NfsError {
    /// The procedure ran and said no.
    #[error("NFS status {}", status_name(*.0))]
    Status(nfsstat3),
    /// MOUNT said no.
    #[error("MOUNT status {}", .0.name())]
    Mount(MountStatus),
    /// The call was not accepted as one.
    #[error("the call was refused: {0:?}")]
    Refused(ReplyStatus),
    /// The connection ended before the reply; the call may have been done or not.
    #[error("the connection ended before the reply")]
    Disconnected,
    /// No reply came in time; the call may have been done or not.
    #[error("no reply within {0:?}")]
    TimedOut(Duration),
    /// The reply, or the argument that was to be sent, is not what the protocol allows.
    #[error("malformed: {0}")]
    Malformed(#[from] XdrError),
    /// The connection could not be made.
    #[error("connecting failed: {0}")]
    Connect(String),
}

impl NfsError {
    /// The NFS status, if the server gave one.
    pub fn status(&self) -> Option<nfsstat3> {
        match self {
            Self::Status(status) => Some(*status),
            _ => None,
        }
    }

    /// Whether the call may have been done although no reply came.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(self, Self::Disconnected | Self::TimedOut(_))
    }
}
