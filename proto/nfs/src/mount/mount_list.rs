//! DUMP, UMNT and UMNTALL (RFC 1813 sections 5.2.2 to 5.2.4): the list of who has mounted what.

use super::{DirectoryPath, HostName, Procedure};
use crate::rpc::call::remote_call;
use crate::xdr::{List, wire_struct};

wire_struct! {
    /// Arguments of DUMP: none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct DumpArgs {}
}

wire_struct! {
    /// One mount.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MountEntry<'a> {
        /// The client.
        pub host: HostName<'a>,
        /// What it mounted.
        pub directory: DirectoryPath<'a>,
    }
}

wire_struct! {
    /// Result of DUMP.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct MountListResult<'a> {
        /// The mounts, as far as the server remembers.
        pub mounts: List<'a, MountEntry<'a>>,
    }
}

remote_call!(Mount, Procedure::Dump, DumpArgs => MountListResult<'reply>);

wire_struct! {
    /// Arguments of UMNT; there are no results.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UmountArgs<'a> {
        /// What is not mounted any more.
        pub path: DirectoryPath<'a>,
    }
}

remote_call!(Mount, Procedure::Umnt, UmountArgs<'_> => ());

wire_struct! {
    /// Arguments of UMNTALL: none; there are no results.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct UmountAllArgs {}
}

remote_call!(Mount, Procedure::UmntAll, UmountAllArgs => ());
