//! What can be asked of a file system, free of protocols.

use std::fmt;

use sluice_types::{Device, FileKind, Stability, Timestamp};

use crate::nfs_client::User;

/// As whom operations are done: the superuser, and two who share a supplementary group.
pub const USERS: [fn() -> User; 3] = [
    || User::ROOT,
    || User {
        uid: 1001,
        gid: 2001,
        groups: vec![3000],
    },
    || User {
        uid: 1002,
        gid: 2002,
        groups: vec![3000],
    },
];

/// An action, and which of [`USERS`] does it.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation<R> {
    /// Index into [`USERS`].
    pub user: usize,
    /// What is done.
    pub action: Action<R>,
}

/// What is done; `R` is how nodes are named: by the model's numbers or by a subject's handles.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the operations' own arguments")]
pub enum Action<R> {
    GetAttributes {
        node: R,
    },
    SetAttributes {
        node: R,
        change: Change,
        stale_guard: bool,
    },
    Lookup {
        directory: R,
        name: Vec<u8>,
    },
    Access {
        node: R,
    },
    ReadSymlink {
        node: R,
    },
    Read {
        node: R,
        offset: u64,
        count: u32,
    },
    Write {
        node: R,
        offset: u64,
        data: Vec<u8>,
        stability: Stability,
    },
    Commit {
        node: R,
    },
    Create {
        directory: R,
        name: Vec<u8>,
        how: CreateMode,
    },
    MakeDirectory {
        directory: R,
        name: Vec<u8>,
        mode: u16,
    },
    MakeSymlink {
        directory: R,
        name: Vec<u8>,
        target: Vec<u8>,
    },
    MakeNode {
        directory: R,
        name: Vec<u8>,
        kind: FileKind,
        device: Device,
        mode: u16,
    },
    Link {
        node: R,
        directory: R,
        name: Vec<u8>,
    },
    Remove {
        directory: R,
        name: Vec<u8>,
    },
    RemoveDirectory {
        directory: R,
        name: Vec<u8>,
    },
    Rename {
        from: R,
        from_name: Vec<u8>,
        to: R,
        to_name: Vec<u8>,
    },
    List {
        directory: R,
        page_bytes: u32,
    },
}

/// How a file is created (RFC 1813 3.3.8).
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the RFC's own modes")]
pub enum CreateMode {
    Unchecked { mode: u16, truncate: bool },
    Guarded { mode: u16 },
    Exclusive { verifier: [u8; 8] },
}

/// What attributes are set to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the attributes' own names")]
pub struct Change {
    pub mode: Option<u16>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub accessed: Option<TimeChange>,
    pub modified: Option<TimeChange>,
}

/// What a time is set to.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "plain words")]
pub enum TimeChange {
    Now,
    To(Timestamp),
}

/// In one line, for messages: names as text, data by its length.
impl<R: fmt::Debug> fmt::Display for Operation<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Action as A;
        write!(f, "user {}: ", self.user)?;
        match &self.action {
            A::Lookup { directory, name } => in_directory(f, "lookup", directory, name),
            A::Create {
                directory,
                name,
                how,
            } => in_directory(f, &format!("create {how:?}"), directory, name),
            A::MakeDirectory {
                directory,
                name,
                mode,
            } => in_directory(f, &format!("mkdir {mode:o}"), directory, name),
            A::MakeSymlink {
                directory, name, ..
            } => in_directory(f, "symlink", directory, name),
            A::MakeNode {
                directory,
                name,
                kind,
                mode,
                ..
            } => in_directory(f, &format!("mknod {kind:?} {mode:o}"), directory, name),
            A::Link {
                node,
                directory,
                name,
            } => in_directory(f, &format!("link {node:?}"), directory, name),
            A::Remove { directory, name } => in_directory(f, "remove", directory, name),
            A::RemoveDirectory { directory, name } => in_directory(f, "rmdir", directory, name),
            A::Rename {
                from,
                from_name,
                to,
                to_name,
            } => {
                in_directory(f, "rename", from, from_name)?;
                in_directory(f, " to", to, to_name)
            }
            A::Write {
                node,
                offset,
                data,
                stability,
            } => {
                let length = data.len();
                write!(f, "write {node:?} {stability:?} {length} bytes at {offset}")
            }
            other => write!(f, "{other:?}"),
        }
    }
}

fn in_directory<R: fmt::Debug>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    directory: &R,
    name: &[u8],
) -> fmt::Result {
    let shown = name.get(..12).unwrap_or(name).escape_ascii();
    write!(
        f,
        "{what} \"{shown}\" ({} bytes) in {directory:?}",
        name.len()
    )
}

impl<R> Action<R> {
    /// The same action with nodes named otherwise.
    pub fn map<S>(self, mut name_of: impl FnMut(R) -> S) -> Action<S> {
        use Action as A;
        match self {
            A::GetAttributes { node } => A::GetAttributes {
                node: name_of(node),
            },
            A::SetAttributes {
                node,
                change,
                stale_guard,
            } => A::SetAttributes {
                node: name_of(node),
                change,
                stale_guard,
            },
            A::Lookup { directory, name } => A::Lookup {
                directory: name_of(directory),
                name,
            },
            A::Access { node } => A::Access {
                node: name_of(node),
            },
            A::ReadSymlink { node } => A::ReadSymlink {
                node: name_of(node),
            },
            A::Read {
                node,
                offset,
                count,
            } => A::Read {
                node: name_of(node),
                offset,
                count,
            },
            A::Write {
                node,
                offset,
                data,
                stability,
            } => A::Write {
                node: name_of(node),
                offset,
                data,
                stability,
            },
            A::Commit { node } => A::Commit {
                node: name_of(node),
            },
            A::Create {
                directory,
                name,
                how,
            } => A::Create {
                directory: name_of(directory),
                name,
                how,
            },
            A::MakeDirectory {
                directory,
                name,
                mode,
            } => A::MakeDirectory {
                directory: name_of(directory),
                name,
                mode,
            },
            A::MakeSymlink {
                directory,
                name,
                target,
            } => A::MakeSymlink {
                directory: name_of(directory),
                name,
                target,
            },
            A::MakeNode {
                directory,
                name,
                kind,
                device,
                mode,
            } => A::MakeNode {
                directory: name_of(directory),
                name,
                kind,
                device,
                mode,
            },
            A::Link {
                node,
                directory,
                name,
            } => A::Link {
                node: name_of(node),
                directory: name_of(directory),
                name,
            },
            A::Remove { directory, name } => A::Remove {
                directory: name_of(directory),
                name,
            },
            A::RemoveDirectory { directory, name } => A::RemoveDirectory {
                directory: name_of(directory),
                name,
            },
            A::Rename {
                from,
                from_name,
                to,
                to_name,
            } => A::Rename {
                from: name_of(from),
                from_name,
                to: name_of(to),
                to_name,
            },
            A::List {
                directory,
                page_bytes,
            } => A::List {
                directory: name_of(directory),
                page_bytes,
            },
        }
    }
}
