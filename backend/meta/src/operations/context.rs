//! What an operation knows besides the tree.

use sluice_types::{Credentials, FsError, Generation, InodeId, SessionId, Timestamp};

/// Who asks, and what time and chance give.
#[derive(Clone, Copy, Debug)]
pub struct OperationContext<'a> {
    /// The caller, after the export's squash.
    pub credentials: &'a Credentials,
    /// The caller's session.
    pub session: SessionId,
    /// The service's clock.
    pub now: Timestamp,
    /// What a new inode would get; only for operations that may make one.
    pub fresh: Option<FreshInode>,
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

impl OperationContext<'_> {
    /// What a new inode gets.
    ///
    /// # Errors
    /// [`FsError::Internal`] if the operation was not planned to make one.
    pub fn fresh(&self) -> Result<FreshInode, FsError> {
        self.fresh.ok_or(FsError::Internal)
    }
}
