//! The operations, one file each. They are methods of [`crate::core::Core`]; [`crate::Vfs`] is how they are called.

mod access;
mod commit;
mod create;
mod file_system_status;
mod link;
mod lookup;
mod make_directory;
mod make_node;
mod make_symlink;
mod read;
mod read_directory;
mod read_symlink;
mod remove;
mod remove_directory;
mod rename;
mod resolve;
mod set_attributes;
mod write;

pub use commit::CommitDone;
pub use file_system_status::SpaceStatus;
pub(crate) use file_system_status::StatusMemory;
pub use read::ReadDone;
pub use write::WriteDone;
