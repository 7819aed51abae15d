//! REMOVE and RMDIR (RFC 1813 sections 3.3.12 and 3.3.13).

use super::{DirectoryEntryName, Failed, Procedure, WccData};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of REMOVE.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RemoveArgs<'a> {
        /// The name to remove.
        pub object: DirectoryEntryName<'a>,
    }
}

/// Result of REMOVE: the directory before and after.
pub type RemoveResult = Result<WccData, Failed<WccData>>;

remote_call!(Nfs, Procedure::Remove, RemoveArgs<'_> => RemoveResult);

wire_struct! {
    /// Arguments of RMDIR.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RmdirArgs<'a> {
        /// The name to remove.
        pub object: DirectoryEntryName<'a>,
    }
}

/// Result of RMDIR: the parent before and after.
pub type RmdirResult = Result<WccData, Failed<WccData>>;

remote_call!(Nfs, Procedure::Rmdir, RmdirArgs<'_> => RmdirResult);
