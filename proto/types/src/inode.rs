//! An inode as the metadata service hands it out.

use crate::{Attributes, DataVersion, Generation, InodeId, Layout, SessionId};

/// All a gateway needs to know of an inode to serve it: its attributes, where its data lies, and
/// what must be finished before its data is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// The inode's number.
    pub id: InodeId,
    /// Part of its handles.
    pub generation: Generation,
    /// What `stat` shows.
    pub attributes: Attributes,
    /// The directory that holds this directory; itself for the root and for other kinds.
    pub parent: InodeId,
    /// Where chunks lie; of a directory: what its new files inherit.
    pub layout: Layout,
    /// Names the data's current contents; see [`DataVersion`].
    pub data_version: DataVersion,
    /// The session that has the file open for writing, or cuts it; `SessionId::new(0)` for none. Storage is changed in the
    /// name of this session only. If it is not the asker's own it has ended, and `size_bytes` may be behind what storage
    /// holds: take the writing over, commit on storage, then end it with the size that storage reports.
    pub writer: SessionId,
    /// A truncation recorded but not yet known to be done on storage: every byte from here on must
    /// be cut there before the file's data is read or written.
    pub pending_trim: Option<u64>,
}
