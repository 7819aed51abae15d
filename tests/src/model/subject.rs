//! What is checked against the model.

use sluice_types::{FileKind, FsError, Timestamp};

use super::Action;
use crate::nfs_client::User;

/// A file system that can be asked to do [`Action`]s.
#[expect(async_fn_in_trait, reason = "tests run it on one thread")]
pub trait Subject {
    /// How it names nodes.
    type Handle: Clone + std::fmt::Debug;

    /// Whether parts of it may restart while operations go on, and so lose unstable data.
    fn may_restart(&self) -> bool {
        false
    }

    /// Does one action as `user`.
    async fn perform(
        &self,
        user: &User,
        action: Action<Self::Handle>,
    ) -> Result<Performed<Self::Handle>, SubjectError>;
}

/// Why an action yielded nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectError {
    /// It was refused.
    Refused(FsError),
    /// Nobody knows whether it was done: the connection was lost.
    Unknown,
    /// The answer is no answer.
    Broken(String),
}

/// An action's answer, and what came with it.
#[derive(Clone, Debug)]
pub struct Performed<H> {
    /// What was asked for.
    pub answer: Answer<H>,
    /// Of each object that was changed, or might have been.
    pub changes: Vec<SeenChange<H>>,
}

/// Nothing but the answer.
impl<H> From<Answer<H>> for Performed<H> {
    fn from(answer: Answer<H>) -> Self {
        Self {
            answer,
            changes: Vec::new(),
        }
    }
}

/// An object before and after an action, as its answer tells (RFC 1813 2.6).
#[derive(Clone, Debug)]
pub struct SeenChange<H> {
    /// Which.
    pub object: H,
    /// Just before the action.
    pub before: Option<SeenBefore>,
    /// Just after it.
    pub after: Option<Seen>,
}

/// By what a client knows whether what it cached is still so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the attributes' own names")]
pub struct SeenBefore {
    pub size: u64,
    pub modified: Timestamp,
    pub changed: Timestamp,
}

/// What an action yielded.
#[derive(Clone, Debug)]
pub enum Answer<H> {
    /// It was done; there is nothing to tell.
    Done,
    /// Attributes of the node, as far as they were told.
    Attributes(Option<Seen>),
    /// A node that was looked up or made, and its attributes.
    Found(H, Option<Seen>),
    /// Which of read (4), write (2) and execute or search (1) are granted.
    Granted(u8),
    /// A symbolic link's target.
    Target(Vec<u8>),
    /// Bytes, and whether the file ends after them.
    Data(Vec<u8>, bool),
    /// How many bytes were written, and the verifier; whether they are durable already.
    Written(u32, [u8; 8], bool),
    /// The verifier of a COMMIT.
    Committed([u8; 8]),
    /// Names and inode numbers of a directory's entries, `.` and `..` left out.
    Names(Vec<(Vec<u8>, u64)>),
}

/// Attributes as a client sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the attributes' own names")]
pub struct Seen {
    pub kind: FileKind,
    pub mode: u16,
    pub link_count: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub file_id: u64,
    pub accessed: Timestamp,
    pub modified: Timestamp,
    pub changed: Timestamp,
}
