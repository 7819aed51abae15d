//! The one file-system error, from the key-value store up to the protocol engines.

use thiserror::Error;

/// Why a file-system operation did not succeed. Protocol engines map it with one exhaustive
/// `match` (to `nfsstat3`, to `NTSTATUS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum FsError {
    /// No entry of that name.
    #[error("no such file or directory")]
    NotFound,
    /// The inode is gone (removed) or never was.
    #[error("the file is gone")]
    Stale,
    /// An entry of that name is there already.
    #[error("the file exists")]
    Exists,
    /// A directory was needed.
    #[error("not a directory")]
    NotDirectory,
    /// A directory was given where none may be.
    #[error("is a directory")]
    IsDirectory,
    /// The directory has entries.
    #[error("the directory is not empty")]
    NotEmpty,
    /// Permission bits forbid it (`EACCES`).
    #[error("permission denied")]
    AccessDenied,
    /// Only the owner or the superuser may (`EPERM`).
    #[error("operation not permitted")]
    NotPermitted,
    /// An argument makes no sense here.
    #[error("invalid argument")]
    Invalid,
    /// The name is longer than 255 bytes, or a link target longer than 4095.
    #[error("the name is too long")]
    NameTooLong,
    /// Beyond the largest file size.
    #[error("the file would be too large")]
    FileTooLarge,
    /// No space on storage or in the metadata store.
    #[error("no space left")]
    NoSpace,
    /// The owner's quota is used up.
    #[error("the quota is used up")]
    QuotaExceeded,
    /// The inode has as many names as it can have.
    #[error("too many links")]
    TooManyLinks,
    /// The export or file system is read-only.
    #[error("read-only")]
    ReadOnly,
    /// Entries on both sides of a rename or link are not on one file system.
    #[error("across file systems")]
    CrossDevice,
    /// The guard of a SETATTR did not match (RFC 1813 3.3.2).
    #[error("the file changed since the guard was taken")]
    GuardMismatch,
    /// The operation is not possible on this kind of inode, or is not offered.
    #[error("not supported")]
    NotSupported,
    /// A device failed, or stored data does not match its checksum.
    #[error("input/output error")]
    Io,
    /// A service or target cannot be reached now; asking again later may succeed.
    #[error("temporarily unavailable")]
    Unavailable,
    /// Bounded memory or a full queue; asking again later will succeed.
    #[error("busy, try again")]
    Busy,
    /// The caller's session with the metadata service ended, or storage fenced it.
    #[error("the gateway's session has ended")]
    SessionLapsed,
    /// The request was made with an old cluster map.
    #[error("the cluster map is out of date")]
    MapOutdated,
    /// A bug, seen and contained.
    #[error("internal error")]
    Internal,
}

impl FsError {
    /// Whether the same request may succeed later with nothing changed by the caller.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Busy | Self::SessionLapsed | Self::MapOutdated
        )
    }
}
