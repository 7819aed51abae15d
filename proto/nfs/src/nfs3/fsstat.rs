//! FSSTAT (RFC 1813 section 3.3.18).

use super::{Failed, FileHandle, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of FSSTAT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FsStatArgs {
        /// Anything in the file system.
        pub root: FileHandle,
    }
}

wire_struct! {
    /// What FSSTAT yields.
    #[derive(Debug, Clone, Copy)]
    pub struct FsStatOk {
        /// The object's attributes.
        pub attributes: Option<fattr3>,
        /// Size of the file system.
        pub total_bytes: u64,
        /// Free space.
        pub free_bytes: u64,
        /// Free space for this caller.
        pub available_bytes: u64,
        /// Most files there can be.
        pub total_files: u64,
        /// How many more.
        pub free_files: u64,
        /// How many more for this caller.
        pub available_files: u64,
        /// Seconds for which this is not expected to change.
        pub invariant_seconds: u32,
    }
}

/// Result of FSSTAT; a failure carries the object's attributes.
pub type FsStatResult = Result<FsStatOk, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::FsStat, FsStatArgs => FsStatResult);
