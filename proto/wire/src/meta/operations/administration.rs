//! What administrators and consistency checks ask.

use sluice_types::{Inode, InodeId, SessionId};

/// Lists inodes with a number greater than `after`, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListInodes {
    /// Where the last page ended; `None` to start.
    pub after: Option<InodeId>,
    /// At most so many.
    pub limit: u32,
}

/// A page of inodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InodeList {
    /// In order of their numbers.
    pub nodes: Vec<Inode>,
    /// Whether these were the last.
    pub end: bool,
}

/// Asks whether a removed file's storage is still to be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindRemoval {
    /// The file.
    pub inode: InodeId,
}

/// Whether a file is in the removal queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalFound {
    /// It is.
    pub queued: bool,
}

/// Lists open sessions with a number greater than `after`, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSessions {
    /// Where the last page ended; zero to start.
    pub after: SessionId,
    /// At most so many.
    pub limit: u32,
}

/// A page of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionList {
    /// In order of their numbers.
    pub sessions: Vec<SessionStatus>,
    /// Whether these were the last.
    pub end: bool,
}

/// An open session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionStatus {
    /// Its number.
    pub session: SessionId,
    /// Who has it, as it named itself.
    pub name: String,
    /// Time since it was renewed, in milliseconds.
    pub silent_ms: u64,
}

/// Lists files that are being written, with a number greater than `after`, in order. A file whose writing began before
/// the service's last start is listed from its gateway's next report on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListWrites {
    /// Where the last page ended; `None` to start.
    pub after: Option<InodeId>,
    /// At most so many.
    pub limit: u32,
}

/// A page of files that are being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteList {
    /// In order of their numbers.
    pub writes: Vec<WriteStatus>,
    /// Whether these were the last.
    pub end: bool,
}

/// A file that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteStatus {
    /// The file.
    pub inode: InodeId,
    /// The session that writes it.
    pub session: SessionId,
    /// Time since this service first heard of it, in milliseconds.
    pub age_ms: u64,
}

/// Checks that names, inodes, link counts and queues agree with one another. Changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckMetadata;

/// What a check of the metadata found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataProblems {
    /// What is wrong, in words; empty if nothing.
    pub problems: Vec<String>,
}
