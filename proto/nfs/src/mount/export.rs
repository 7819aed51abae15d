//! EXPORT (RFC 1813 section 5.2.5).

use super::{DirectoryPath, HostName, Procedure};
use crate::rpc::call::remote_call;
use crate::xdr::{List, wire_struct};

wire_struct! {
    /// Arguments of EXPORT: none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct ExportArgs {}
}

wire_struct! {
    /// One export.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ExportEntry<'a> {
        /// Its directory.
        pub directory: DirectoryPath<'a>,
        /// Who may mount it; nobody named means everybody.
        pub groups: List<'a, HostName<'a>>,
    }
}

wire_struct! {
    /// Result of EXPORT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ExportResult<'a> {
        /// The exports.
        pub exports: List<'a, ExportEntry<'a>>,
    }
}

remote_call!(Mount, Procedure::Export, ExportArgs => ExportResult<'reply>);
