//! The file system's errors in the protocols' words: one exhaustive match each.

use sluice_proto_nfs::mount::MountStatus;
use sluice_proto_nfs::nfs3::nfsstat3;
use sluice_proto_nfs::nlm::LockStatus;
use sluice_types::FsError;

/// The NFSv3 status of an error (RFC 1813 section 2.6).
pub const fn nfs_status(error: FsError) -> nfsstat3 {
    match error {
        FsError::NotFound => nfsstat3::NFS3ERR_NOENT,
        FsError::Stale => nfsstat3::NFS3ERR_STALE,
        FsError::Exists => nfsstat3::NFS3ERR_EXIST,
        FsError::NotDirectory => nfsstat3::NFS3ERR_NOTDIR,
        FsError::IsDirectory => nfsstat3::NFS3ERR_ISDIR,
        FsError::NotEmpty => nfsstat3::NFS3ERR_NOTEMPTY,
        FsError::AccessDenied => nfsstat3::NFS3ERR_ACCES,
        FsError::NotPermitted => nfsstat3::NFS3ERR_PERM,
        FsError::Invalid => nfsstat3::NFS3ERR_INVAL,
        FsError::NameTooLong => nfsstat3::NFS3ERR_NAMETOOLONG,
        FsError::FileTooLarge => nfsstat3::NFS3ERR_FBIG,
        FsError::NoSpace => nfsstat3::NFS3ERR_NOSPC,
        FsError::QuotaExceeded => nfsstat3::NFS3ERR_DQUOT,
        FsError::TooManyLinks => nfsstat3::NFS3ERR_MLINK,
        FsError::ReadOnly => nfsstat3::NFS3ERR_ROFS,
        FsError::CrossDevice => nfsstat3::NFS3ERR_XDEV,
        FsError::GuardMismatch => nfsstat3::NFS3ERR_NOT_SYNC,
        FsError::NotSupported => nfsstat3::NFS3ERR_NOTSUPP,
        FsError::Io => nfsstat3::NFS3ERR_IO,
        // "Not now": the client waits and sends the call again.
        FsError::Unavailable | FsError::Busy | FsError::SessionLapsed | FsError::MapOutdated => {
            nfsstat3::NFS3ERR_JUKEBOX
        }
        FsError::Internal => nfsstat3::NFS3ERR_SERVERFAULT,
    }
}

/// The MOUNT status of an error (RFC 1813 section 5.1.5).
pub const fn mount_status(error: FsError) -> MountStatus {
    match error {
        FsError::NotFound | FsError::Stale => MountStatus::NotFound,
        FsError::NotDirectory => MountStatus::NotDirectory,
        FsError::AccessDenied => MountStatus::AccessDenied,
        FsError::NotPermitted => MountStatus::NotPermitted,
        FsError::Invalid => MountStatus::Invalid,
        FsError::NameTooLong => MountStatus::NameTooLong,
        FsError::NotSupported => MountStatus::NotSupported,
        FsError::Io => MountStatus::Io,
        FsError::Exists
        | FsError::IsDirectory
        | FsError::NotEmpty
        | FsError::FileTooLarge
        | FsError::NoSpace
        | FsError::QuotaExceeded
        | FsError::TooManyLinks
        | FsError::ReadOnly
        | FsError::CrossDevice
        | FsError::GuardMismatch
        | FsError::Unavailable
        | FsError::Busy
        | FsError::SessionLapsed
        | FsError::MapOutdated
        | FsError::Internal => MountStatus::ServerFault,
    }
}

/// The NLM status of an error (X/Open XNFS 14, `nlm4_stats`).
pub const fn lock_status(error: FsError) -> LockStatus {
    match error {
        // The one "not now" that there is: the client waits some seconds and sends the call again.
        FsError::Unavailable | FsError::Busy | FsError::SessionLapsed | FsError::MapOutdated => {
            LockStatus::DeniedGracePeriod
        }
        FsError::Stale | FsError::NotFound => LockStatus::StaleHandle,
        FsError::ReadOnly => LockStatus::ReadOnly,
        FsError::FileTooLarge => LockStatus::TooBig,
        FsError::NoSpace | FsError::QuotaExceeded | FsError::NameTooLong => {
            LockStatus::DeniedNoLocks
        }
        FsError::Exists
        | FsError::NotDirectory
        | FsError::IsDirectory
        | FsError::NotEmpty
        | FsError::AccessDenied
        | FsError::NotPermitted
        | FsError::Invalid
        | FsError::TooManyLinks
        | FsError::CrossDevice
        | FsError::GuardMismatch
        | FsError::NotSupported
        | FsError::Io
        | FsError::Internal => LockStatus::Failed,
    }
}
