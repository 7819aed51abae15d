//! FSINFO (RFC 1813 section 3.3.19).

use super::{Failed, FileHandle, Procedure, fattr3, nfstime3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

/// Bits of what the file system can do.
pub mod properties {
    pub use nfsserve::nfs::{
        FSF_CANSETTIME as CAN_SET_TIME, FSF_HOMOGENEOUS as HOMOGENEOUS, FSF_LINK as LINK,
        FSF_SYMLINK as SYMLINK,
    };
}

wire_struct! {
    /// Arguments of FSINFO.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FsInfoArgs {
        /// The file system's root.
        pub root: FileHandle,
    }
}

wire_struct! {
    /// What FSINFO yields; sizes in bytes.
    #[derive(Debug, Clone, Copy)]
    pub struct FsInfoOk {
        /// The object's attributes.
        pub attributes: Option<fattr3>,
        /// Most a READ may ask for.
        pub read_max: u32,
        /// What a READ had best ask for.
        pub read_preferred: u32,
        /// What it had best be a multiple of.
        pub read_multiple: u32,
        /// Most a WRITE may bring.
        pub write_max: u32,
        /// What a WRITE had best bring.
        pub write_preferred: u32,
        /// What it had best be a multiple of.
        pub write_multiple: u32,
        /// What a READDIR had best ask for.
        pub readdir_preferred: u32,
        /// Largest size of a file.
        pub file_size_max: u64,
        /// The smallest difference that times can have.
        pub time_delta: nfstime3,
        /// Bits of [`properties`].
        pub properties: u32,
    }
}

/// Result of FSINFO; a failure carries the object's attributes.
pub type FsInfoResult = Result<FsInfoOk, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::FsInfo, FsInfoArgs => FsInfoResult);
