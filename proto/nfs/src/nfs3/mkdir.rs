//! MKDIR (RFC 1813 section 3.3.9).

use super::{Created, DirectoryEntryName, Failed, Procedure, SetAttributes, WccData};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of MKDIR.
    #[derive(Debug, Clone, Copy)]
    pub struct MkdirArgs<'a> {
        /// The new name.
        pub place: DirectoryEntryName<'a>,
        /// What the new directory is given.
        pub attributes: SetAttributes,
    }
}

/// Result of MKDIR; a failure carries the parent before and after.
pub type MkdirResult = Result<Created, Failed<WccData>>;

remote_call!(Nfs, Procedure::Mkdir, MkdirArgs<'_> => MkdirResult);
