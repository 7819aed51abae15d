//! The file service of a gateway, free of any protocol: what a file system does, with the promises of its replies, over
//! metadata, striped storage and the gateway's caches. Protocol engines translate to and from [`Vfs`].

mod backend;
mod caller;
mod client_backend;
mod config;
mod core;
mod directory_entries;
mod exports;
mod file_state;
mod file_table;
mod leases;
mod locks;
pub mod metrics;
mod nodes;
mod operations;
mod read_ahead;
mod session;
mod settle;
mod sweeper;
mod vfs;

pub use backend::Backend;
pub use caller::Caller;
pub use config::VfsConfig;
pub use exports::{Export, ExportError, Exports, Squash};
pub use operations::{CommitDone, ReadDone, SpaceStatus, WriteDone};
pub use vfs::Vfs;
