//! GETATTR (RFC 1813 section 3.3.1).

use super::{Failed, FileHandle, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of GETATTR.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct GetAttrArgs {
        /// Whose attributes.
        pub object: FileHandle,
    }
}

/// Result of GETATTR: the attributes.
pub type GetAttrResult = Result<fattr3, Failed<()>>;

remote_call!(Nfs, Procedure::GetAttr, GetAttrArgs => GetAttrResult);
