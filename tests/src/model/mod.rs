//! A file system in memory that does what POSIX says, to check the real one against.
//!
//! - [`Model`] holds the tree: nodes, names, attributes, data. It names nodes by [`Node`], which stay
//!   valid names after removal, so that stale handles are tried too.
//! - [`Operation`]s are random but repeatable ([`Generator`]); they name nodes, not handles.
//! - [`Model::expect`] says how an operation must end: it succeeds, or fails in one of several ways
//!   (POSIX leaves open which error wins), or either. [`Model::apply`] does it.
//! - A [`Subject`] is what is checked: NFS through a raw client, or the vfs by direct calls.
//! - [`Checker`] performs operations on both and compares every answer, and what comes with it of an object before and
//!   after a change; [`Checker::audit`] compares the whole tree: names, attributes, times, data.
//!
//! Data: a file is its stable bytes, and unstable writes over them. Until a crash the newest counts;
//! after one, each byte may be any of those, and no other: see [`data`].

mod apply;
mod checker;
pub mod data;
mod expect;
mod generate;
mod nfs_subject;
mod operation;
mod subject;
mod tree;
mod vfs_subject;

pub use checker::{Checker, Mismatch};
pub use expect::Expect;
pub use generate::Generator;
pub use nfs_subject::NfsSubject;
pub use operation::{Action, Change, CreateMode, Operation, TimeChange, USERS};
pub use subject::{Answer, Performed, Seen, SeenBefore, SeenChange, Subject, SubjectError};
pub use tree::{Model, Node};
pub use vfs_subject::VfsSubject;
