//! What the procedures share.

use super::{NAME_LENGTH_MAX, OPAQUE_LENGTH_MAX};
use crate::xdr::{BoundedBytes, wire_enum, wire_struct};

/// A client's mark on a call; comes back in the answer.
pub type Cookie<'a> = BoundedBytes<'a, OPAQUE_LENGTH_MAX>;
/// Names a lock's owner within its client.
pub type Owner<'a> = BoundedBytes<'a, OPAQUE_LENGTH_MAX>;
/// An NFSv3 file handle; NLM itself allows longer ones.
pub type FileHandleBytes<'a> = BoundedBytes<'a, OPAQUE_LENGTH_MAX>;
/// A client's name.
pub type CallerName<'a> = BoundedBytes<'a, NAME_LENGTH_MAX>;

wire_enum! {
    /// How a call ended (`nlm4_stats`).
    pub enum LockStatus {
        /// Done.
        Granted = 0 => "granted",
        /// Somebody else has it.
        Denied = 1 => "denied",
        /// The server has no locks to give.
        DeniedNoLocks = 2 => "denied_nolocks",
        /// Wait: GRANTED will come.
        Blocked = 3 => "blocked",
        /// Only reclaims are accepted now.
        DeniedGracePeriod = 4 => "denied_grace_period",
        /// Waiting would be for ever.
        Deadlock = 5 => "deadlck",
        /// Read-only file system.
        ReadOnly = 6 => "rofs",
        /// The file is gone.
        StaleHandle = 7 => "stale_fh",
        /// The range is too big.
        TooBig = 8 => "fbig",
        /// Failed for other reasons.
        Failed = 9 => "failed",
    }
}

wire_struct! {
    /// Who has a lock (`nlm4_holder`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Holder<'a> {
        /// A write lock.
        pub exclusive: bool,
        /// The owner's process id.
        pub process: i32,
        /// The owner.
        pub owner: Owner<'a>,
        /// First byte.
        pub offset: u64,
        /// Bytes; 0 means to the end of the file.
        pub length: u64,
    }
}

wire_struct! {
    /// A lock (`nlm4_lock`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Lock<'a> {
        /// The client.
        pub caller: CallerName<'a>,
        /// The file.
        pub file: FileHandleBytes<'a>,
        /// The owner.
        pub owner: Owner<'a>,
        /// The owner's process id.
        pub process: i32,
        /// First byte.
        pub offset: u64,
        /// Bytes; 0 means to the end of the file.
        pub length: u64,
    }
}
