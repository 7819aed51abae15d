//! The queue of removed files.

use sluice_types::{InodeId, Layout};

/// Lists removed files whose storage is still to be freed, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListRemovals {
    /// A file of the queue behind which to begin; from the oldest on if it is not there any more.
    pub after: Option<InodeId>,
    /// At most so many.
    pub limit: u32,
}

/// Removed files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removals {
    /// Oldest first.
    pub removals: Vec<Removal>,
}

/// A removed file whose storage is still to be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The file.
    pub inode: InodeId,
    /// Where its chunks are.
    pub layout: Layout,
}

/// Takes files off the removal queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishRemovals {
    /// Files whose storage was freed on every target.
    pub inodes: Vec<InodeId>,
}
