//! LINK (RFC 1813 section 3.3.15).

use super::{DirectoryEntryName, Failed, FileHandle, Procedure, WccData, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of LINK.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct LinkArgs<'a> {
        /// The file that gets another name.
        pub file: FileHandle,
        /// The name.
        pub link: DirectoryEntryName<'a>,
    }
}

wire_struct! {
    /// What LINK yields, and what its failure carries.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct Linked {
        /// The file's attributes.
        pub attributes: Option<fattr3>,
        /// The directory before and after.
        pub directory_wcc: WccData,
    }
}

/// Result of LINK.
pub type LinkResult = Result<Linked, Failed<Linked>>;

remote_call!(Nfs, Procedure::Link, LinkArgs<'_> => LinkResult);
