//! NFS version 3 (RFC 1813): arguments and results of its 22 procedures.
//!
//! Results are `Result`s: what the procedure yields, or a [`Failed`] with the status and the attributes
//! that the RFC wants even then. Structures that are the same bytes for several procedures are still one
//! type per procedure, so that a type says what is called.

mod access;
mod commit;
mod create;
mod fsinfo;
mod fsstat;
mod getattr;
mod handle;
mod link;
mod lookup;
mod mkdir;
mod mknod;
mod pathconf;
mod procedure;
mod read;
mod readdir;
mod readdirplus;
mod readlink;
mod remove;
mod rename;
mod set_attributes;
mod setattr;
mod status;
mod symlink;
mod types;
mod write;

pub use access::{AccessArgs, AccessOk, AccessResult, access_bits};
pub use commit::{CommitArgs, CommitOk, CommitResult};
pub use create::{CreateArgs, CreateHow, CreateResult, Created, EXCLUSIVE_VERIFIER_LENGTH};
pub use fsinfo::{FsInfoArgs, FsInfoOk, FsInfoResult, properties};
pub use fsstat::{FsStatArgs, FsStatOk, FsStatResult};
pub use getattr::{GetAttrArgs, GetAttrResult};
pub use handle::{FileHandle, HANDLE_LENGTH_MAX};
pub use link::{LinkArgs, LinkResult, Linked};
pub use lookup::{LookupArgs, LookupOk, LookupResult};
pub use mkdir::{MkdirArgs, MkdirResult};
pub use mknod::{MknodArgs, MknodResult, MknodWhat};
pub use nfsserve::nfs::{fattr3, ftype3, nfsstat3, nfstime3, specdata3, wcc_attr};
pub use pathconf::{PathConfArgs, PathConfOk, PathConfResult};
pub use procedure::Procedure;
pub use read::{ReadArgs, ReadOk, ReadOkHead, ReadResult};
pub use readdir::{
    COOKIE_VERIFIER_LENGTH, ReaddirArgs, ReaddirEntry, ReaddirOk, ReaddirPage, ReaddirResult,
};
pub use readdirplus::{
    ReaddirPlusArgs, ReaddirPlusEntry, ReaddirPlusOk, ReaddirPlusPage, ReaddirPlusResult,
};
pub use readlink::{ReadlinkArgs, ReadlinkOk, ReadlinkResult};
pub use remove::{RemoveArgs, RemoveResult, RmdirArgs, RmdirResult};
pub use rename::{RenameArgs, RenameResult, RenameWcc};
pub use set_attributes::{SetAttributes, SetTime};
pub use setattr::{SetAttrArgs, SetAttrResult};
pub use status::{status_from_number, status_name};
pub use symlink::{SymlinkArgs, SymlinkResult};
pub use types::{DirectoryEntryName, Failed, FileName, Path, WccData};
pub use write::{StableHow, WRITE_VERIFIER_LENGTH, WriteArgs, WriteOk, WriteResult};

/// The version.
pub const VERSION: u32 = 3;

/// Most bytes of a file name that are taken from the wire.
///
/// RFC 1813 sets no limit: one over the file system's own (255) is for the file system to refuse, with
/// NFS3ERR_NAMETOOLONG. What is over this one is refused as garbage.
pub const NAME_WIRE_LENGTH_MAX: usize = 8192;

/// Most bytes of a symbolic link's text that are taken from the wire; see [`NAME_WIRE_LENGTH_MAX`].
pub const PATH_WIRE_LENGTH_MAX: usize = 8192;
