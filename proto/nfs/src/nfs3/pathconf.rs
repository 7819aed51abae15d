//! PATHCONF (RFC 1813 section 3.3.20).

use super::{Failed, FileHandle, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of PATHCONF.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct PathConfArgs {
        /// Of what.
        pub object: FileHandle,
    }
}

wire_struct! {
    /// What PATHCONF yields.
    #[derive(Debug, Clone, Copy)]
    pub struct PathConfOk {
        /// The object's attributes.
        pub attributes: Option<fattr3>,
        /// Most names a file can have.
        pub link_max: u32,
        /// Most bytes of a name.
        pub name_max: u32,
        /// Longer names are refused, not cut.
        pub no_truncation: bool,
        /// Only root gives files away.
        pub chown_restricted: bool,
        /// Names that differ in case only are the same.
        pub case_insensitive: bool,
        /// Names keep their case.
        pub case_preserving: bool,
    }
}

/// Result of PATHCONF; a failure carries the object's attributes.
pub type PathConfResult = Result<PathConfOk, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::PathConf, PathConfArgs => PathConfResult);
