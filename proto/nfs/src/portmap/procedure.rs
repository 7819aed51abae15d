//! The procedures' numbers and names.

use crate::xdr::wire_enum;

wire_enum! {
    /// A procedure of portmap v2.
    pub enum Procedure {
        /// Does nothing.
        Null = 0 => "null",
        /// Registers a program.
        Set = 1 => "set",
        /// Takes a registration back.
        Unset = 2 => "unset",
        /// The port of a program.
        GetPort = 3 => "getport",
        /// All registrations.
        Dump = 4 => "dump",
        /// Calls a program in the caller's name.
        CallIt = 5 => "callit",
    }
}
