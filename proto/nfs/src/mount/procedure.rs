//! The procedures' numbers and names.

use crate::xdr::wire_enum;

wire_enum! {
    /// A procedure of MOUNT v3.
    pub enum Procedure {
        /// Does nothing.
        Null = 0 => "null",
        /// The handle of a directory.
        Mnt = 1 => "mnt",
        /// Who has mounted what.
        Dump = 2 => "dump",
        /// One mount less.
        Umnt = 3 => "umnt",
        /// No mounts of this client any more.
        UmntAll = 4 => "umntall",
        /// What can be mounted.
        Export = 5 => "export",
    }
}
