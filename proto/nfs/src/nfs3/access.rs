//! ACCESS (RFC 1813 section 3.3.4).

use super::{Failed, FileHandle, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::wire_struct;

/// Bits of what may be asked and granted.
pub mod access_bits {
    /// Read data, list a directory.
    pub const READ: u32 = 0x01;
    /// Find a name in a directory.
    pub const LOOKUP: u32 = 0x02;
    /// Rewrite data, change entries of a directory.
    pub const MODIFY: u32 = 0x04;
    /// Write new data, add entries.
    pub const EXTEND: u32 = 0x08;
    /// Remove entries of a directory.
    pub const DELETE: u32 = 0x10;
    /// Execute a file.
    pub const EXECUTE: u32 = 0x20;
}

wire_struct! {
    /// Arguments of ACCESS.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct AccessArgs {
        /// To what.
        pub object: FileHandle,
        /// Which bits of [`access_bits`] are asked about.
        pub access: u32,
    }
}

wire_struct! {
    /// What ACCESS yields.
    #[derive(Debug, Clone, Copy)]
    pub struct AccessOk {
        /// The object's attributes.
        pub attributes: Option<fattr3>,
        /// Those of the bits asked about that are granted.
        pub access: u32,
    }
}

/// Result of ACCESS; a failure carries the object's attributes.
pub type AccessResult = Result<AccessOk, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::Access, AccessArgs => AccessResult);
