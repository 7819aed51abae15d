//! MOUNT version 3 (RFC 1813 appendix I): from a path to its file handle.

mod export;
mod mnt;
mod mount_list;
mod procedure;

pub use export::{ExportArgs, ExportEntry, ExportResult};
pub use mnt::{AUTH_FLAVORS_MAX, MountArgs, MountOk, MountResult, MountStatus};
pub use mount_list::{DumpArgs, MountEntry, MountListResult, UmountAllArgs, UmountArgs};
pub use procedure::Procedure;

use crate::xdr::BoundedBytes;

/// The version.
pub const VERSION: u32 = 3;
/// Most bytes of a path (MNTPATHLEN).
pub const PATH_LENGTH_MAX: usize = 1024;
/// Most bytes of a host's or group's name (MNTNAMLEN).
pub const NAME_LENGTH_MAX: usize = 255;

/// A directory's path on the server.
pub type DirectoryPath<'a> = BoundedBytes<'a, PATH_LENGTH_MAX>;
/// A host's or group's name.
pub type HostName<'a> = BoundedBytes<'a, NAME_LENGTH_MAX>;
