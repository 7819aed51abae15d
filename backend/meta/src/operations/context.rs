//! What an operation knows besides the tree.

use sluice_types::{Credentials, FsError, Generation, InodeId, SessionId, Timestamp};

use crate::file_locks::FileLocks;
use crate::namespace::RemovalsFront;

/// Who asks, and what time and chance give.
#[derive(Clone, Copy, Debug)]
pub struct OperationContext<'a> {
    /// The caller, after the export's squash.
    pub credentials: &'a Credentials,
    /// The caller's session.
    pub session: SessionId,
    /// The service's clock.
    pub now: Timestamp,
    /// What a new inode would get, or why there can be none.
    pub fresh: Result<FreshInode, FsError>,
    /// Where to look for the oldest removals.
    pub removals_front: &'a RemovalsFront,
    /// Which files may have locks.
    pub file_locks: &'a FileLocks,
}

/// What is unique or random about a new inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreshInode {
    /// A number that no inode ever had.
    pub id: InodeId,
    /// For its handles.
    pub generation: Generation,
    /// For the placement of its chunks.
    pub placement_seed: u32,
}
