//! LOOKUP (RFC 1813 section 3.3.3).

use super::{DirectoryEntryName, Failed, FileHandle, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

wire_struct! {
    /// Arguments of LOOKUP.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct LookupArgs<'a> {
        /// The name to find.
        pub what: DirectoryEntryName<'a>,
    }
}

wire_struct! {
    /// What LOOKUP yields.
    #[derive(Debug, Clone, Copy)]
    pub struct LookupOk {
        /// The object that has the name.
        pub object: FileHandle,
        /// Its attributes.
        pub attributes: Option<fattr3>,
        /// The directory's attributes.
        pub directory_attributes: Option<fattr3>,
    }
}

/// Result of LOOKUP; a failure carries the directory's attributes.
pub type LookupResult = Result<LookupOk, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::Lookup, LookupArgs<'_> => LookupResult);
