//! SYMLINK (RFC 1813 section 3.3.10).

use super::{Created, DirectoryEntryName, Failed, Path, Procedure, SetAttributes, WccData};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of SYMLINK.
    #[derive(Debug, Clone, Copy)]
    pub struct SymlinkArgs<'a> {
        /// The new name.
        pub place: DirectoryEntryName<'a>,
        /// What the link is given.
        pub attributes: SetAttributes,
        /// The link's text.
        pub target: Path<'a>,
    }
}

/// Result of SYMLINK; a failure carries the directory before and after.
pub type SymlinkResult = Result<Created, Failed<WccData>>;

remote_call!(Nfs, Procedure::Symlink, SymlinkArgs<'_> => SymlinkResult);
