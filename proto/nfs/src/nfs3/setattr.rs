//! SETATTR (RFC 1813 section 3.3.2).

use super::{Failed, FileHandle, Procedure, SetAttributes, WccData, nfstime3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of SETATTR.
    #[derive(Debug, Clone, Copy)]
    pub struct SetAttrArgs {
        /// Whose attributes.
        pub object: FileHandle,
        /// What to set.
        pub attributes: SetAttributes,
        /// The guard: refuse unless the object's ctime is this one.
        pub guard_ctime: Option<nfstime3>,
    }
}

/// Result of SETATTR: the object before and after.
pub type SetAttrResult = Result<WccData, Failed<WccData>>;

remote_call!(Nfs, Procedure::SetAttr, SetAttrArgs => SetAttrResult);
