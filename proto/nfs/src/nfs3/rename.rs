//! RENAME (RFC 1813 section 3.3.14).

use super::{DirectoryEntryName, Failed, Procedure, WccData};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of RENAME.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RenameArgs<'a> {
        /// The name as it is.
        pub from: DirectoryEntryName<'a>,
        /// The name as it shall be.
        pub to: DirectoryEntryName<'a>,
    }
}

wire_struct! {
    /// Both directories before and after.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct RenameWcc {
        /// Where the name was.
        pub from_directory: WccData,
        /// Where it went.
        pub to_directory: WccData,
    }
}

/// Result of RENAME.
pub type RenameResult = Result<RenameWcc, Failed<RenameWcc>>;

remote_call!(Nfs, Procedure::Rename, RenameArgs<'_> => RenameResult);
