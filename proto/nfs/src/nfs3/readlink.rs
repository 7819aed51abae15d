//! READLINK (RFC 1813 section 3.3.5).

use super::{Failed, FileHandle, Path, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of READLINK.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ReadlinkArgs {
        /// The symbolic link.
        pub symlink: FileHandle,
    }
}

wire_struct! {
    /// What READLINK yields.
    #[derive(Debug, Clone, Copy)]
    pub struct ReadlinkOk<'a> {
        /// The link's attributes.
        pub attributes: Option<fattr3>,
        /// The link's text.
        pub target: Path<'a>,
    }
}

/// Result of READLINK; a failure carries the link's attributes.
pub type ReadlinkResult<'a> = Result<ReadlinkOk<'a>, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::Readlink, ReadlinkArgs => ReadlinkResult<'reply>);
