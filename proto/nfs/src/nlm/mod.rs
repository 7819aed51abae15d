//! The network lock manager, version 4 (X/Open XNFS chapter 14, with the 64-bit types of RFC 1813
//! appendix II): byte-range locks and shares.
//!
//! Each of TEST, LOCK, CANCEL, UNLOCK and GRANTED also exists as a message without reply (`_MSG`), which
//! is answered, if at all, by a message in the other direction (`_RES`). They have the same arguments
//! and results.

mod lock;
mod message;
mod procedure;
mod share;
#[cfg(test)]
mod tests;
mod types;

pub use lock::{
    CancelArgs, GrantedArgs, LockArgs, LockResult, TestArgs, TestReply, TestResult, UnlockArgs,
};
pub use message::Message;
pub use procedure::Procedure;
pub use share::{
    FreeAllArgs, NonMonitoredLockArgs, Share, ShareAccess, ShareArgs, ShareMode, ShareResult,
    UnshareArgs,
};
pub use types::{CallerName, Cookie, FileHandleBytes, Holder, Lock, LockStatus, Owner};

/// The version.
pub const VERSION: u32 = 4;
/// Most bytes of an opaque (MAXNETOBJ_SZ).
pub const OPAQUE_LENGTH_MAX: usize = 1024;
/// Most bytes of a caller's name (LM_MAXSTRLEN).
pub const NAME_LENGTH_MAX: usize = 1024;
