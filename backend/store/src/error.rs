//! Why the store could not do something.

use std::io;
use std::sync::Arc;

use sluice_types::{ChunkId, FileSystemId, FsError, InodeId, TargetUuid};
use thiserror::Error;

/// Errors of the chunk store. Cloneable, because one failed flush answers many callers.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// The device refused or failed an operation.
    #[error("{action} failed: {source}")]
    Device {
        /// What was tried, with the file's name.
        action: String,
        /// What the device said.
        source: Arc<io::Error>,
    },
    /// A stored extent does not match its checksum.
    #[error(
        "chunk {chunk}: extent of {blocks} blocks at block {address} has crc {found:#010x}, expected {expected:#010x}"
    )]
    Checksum {
        /// The chunk whose data it is.
        chunk: ChunkId,
        /// First slab block of the extent.
        address: u64,
        /// Its length in blocks.
        blocks: u32,
        /// The checksum in the index.
        expected: u32,
        /// The checksum of what was read.
        found: u32,
    },
    /// The directory's contents contradict themselves; the store does not open.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The directory was written by another version.
    #[error("{what} has format version {found}; this program reads version {expected}")]
    UnknownVersion {
        /// Which file.
        what: String,
        /// The version it has.
        found: u32,
        /// The version this program reads.
        expected: u32,
    },
    /// The directory holds no store, and one must be there.
    #[error(
        "the directory holds no store, and one must be there: is its disk not mounted, or was it emptied?"
    )]
    NotFormatted,
    /// The directory holds no store, and that of a certain target must be there.
    #[error(
        "the directory holds no store, expected target {expected}: is its disk not mounted, or was it emptied?"
    )]
    Missing {
        /// The uuid asked for.
        expected: TargetUuid,
    },
    /// The directory holds the store of another target.
    #[error("the directory holds target {found}, expected {expected}")]
    WrongTarget {
        /// The uuid asked for.
        expected: TargetUuid,
        /// The uuid in the superblock.
        found: TargetUuid,
    },
    /// The store holds the chunks of another file system.
    #[error(
        "the target belongs to file system {own}, not to {}",
        asked.map_or("one that is not formed yet".to_owned(), |asked| asked.to_string())
    )]
    OtherFileSystem {
        /// The file system in the superblock.
        own: FileSystemId,
        /// The one it should join; `None`: one that is not formed yet.
        asked: Option<FileSystemId>,
    },
    /// A configuration value is out of range.
    #[error("configuration: {0}")]
    Config(String),
    /// No free space for the write; nothing was changed.
    #[error("no space left on the target")]
    NoSpace,
    /// Nobody waits for the write any more; nothing was changed.
    #[error("the write waited for room until nobody waited for it")]
    GivenUp,
    /// The inode was removed.
    #[error("inode {0} was removed")]
    Removed(InodeId),
    /// The request makes no sense.
    #[error("invalid request: {0}")]
    Invalid(&'static str),
    /// So much of what was overwritten in part is damaged that the new bytes cannot all be kept beside it.
    #[error(
        "{kept_bytes} bytes of the log are needed for what lies in blocks with damage, at most {limit_bytes} may be: the disk is failing"
    )]
    TooMuchDamage {
        /// Bytes of the log that they need.
        kept_bytes: u64,
        /// How many they may.
        limit_bytes: u64,
    },
    /// The target is out of service after device errors.
    #[error("the target failed: {0}")]
    Failed(Arc<str>),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn device(action: impl Into<String>, source: io::Error) -> Self {
        Self::Device {
            action: action.into(),
            source: Arc::new(source),
        }
    }
}

impl From<&StoreError> for FsError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Device { .. }
            | StoreError::Checksum { .. }
            | StoreError::Corrupt(_)
            | StoreError::TooMuchDamage { .. }
            | StoreError::Failed(_) => Self::Io,
            StoreError::NoSpace => Self::NoSpace,
            StoreError::Removed(_) => Self::Stale,
            StoreError::Invalid(_) => Self::Invalid,
            StoreError::UnknownVersion { .. }
            | StoreError::NotFormatted
            | StoreError::Missing { .. }
            | StoreError::WrongTarget { .. }
            | StoreError::OtherFileSystem { .. }
            | StoreError::Config(_)
            | StoreError::GivenUp
            | StoreError::Closed => Self::Unavailable,
        }
    }
}

impl From<StoreError> for FsError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}
