//! SHARE, UNSHARE, NM_LOCK and FREE_ALL: what DOS clients use.

use super::{CallerName, Cookie, FileHandleBytes, Lock, LockResult, LockStatus, Owner, Procedure};
use crate::rpc::call::remote_call;
use crate::xdr::{wire_enum, wire_struct};

wire_enum! {
    /// What others may not do meanwhile (`fsh4_mode`).
    pub enum ShareMode {
        /// They may do all.
        DenyNone = 0 => "deny_none",
        /// Not read.
        DenyRead = 1 => "deny_read",
        /// Not write.
        DenyWrite = 2 => "deny_write",
        /// Neither.
        DenyReadWrite = 3 => "deny_read_write",
    }
}

wire_enum! {
    /// What the owner wants to do (`fsh4_access`).
    pub enum ShareAccess {
        /// Nothing.
        None = 0 => "none",
        /// Read.
        Read = 1 => "read",
        /// Write.
        Write = 2 => "write",
        /// Both.
        ReadWrite = 3 => "read_write",
    }
}

wire_struct! {
    /// A share (`nlm4_share`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Share<'a> {
        /// The client.
        pub caller: CallerName<'a>,
        /// The file.
        pub file: FileHandleBytes<'a>,
        /// The owner.
        pub owner: Owner<'a>,
        /// What others may not do.
        pub mode: ShareMode,
        /// What the owner does.
        pub access: ShareAccess,
    }
}

wire_struct! {
    /// Arguments of SHARE (`nlm4_shareargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ShareArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// The share.
        pub share: Share<'a>,
        /// The client had it before the server's restart.
        pub reclaim: bool,
    }
}

wire_struct! {
    /// Result of SHARE and UNSHARE (`nlm4_shareres`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ShareResult<'a> {
        /// As in the call.
        pub cookie: Cookie<'a>,
        /// How it ended.
        pub status: LockStatus,
        /// Meaningless.
        pub sequence: i32,
    }
}

remote_call!(Nlm, Procedure::Share, ShareArgs<'_> => ShareResult<'reply>);

wire_struct! {
    /// Arguments of UNSHARE (`nlm4_shareargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UnshareArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// The share to release.
        pub share: Share<'a>,
        /// Meaningless.
        pub reclaim: bool,
    }
}

remote_call!(Nlm, Procedure::Unshare, UnshareArgs<'_> => ShareResult<'reply>);

wire_struct! {
    /// Arguments of NM_LOCK (`nlm4_lockargs`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct NonMonitoredLockArgs<'a> {
        /// Comes back.
        pub cookie: Cookie<'a>,
        /// Wait for it.
        pub block: bool,
        /// A write lock.
        pub exclusive: bool,
        /// The lock.
        pub lock: Lock<'a>,
        /// The client had it before the server's restart.
        pub reclaim: bool,
        /// Meaningless.
        pub state: i32,
    }
}

remote_call!(Nlm, Procedure::NonMonitoredLock, NonMonitoredLockArgs<'_> => LockResult<'reply>);

wire_struct! {
    /// Arguments of FREE_ALL (`nlm4_notify`); there are no results.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct FreeAllArgs<'a> {
        /// The client that rebooted.
        pub caller: CallerName<'a>,
        /// Its state.
        pub state: i32,
    }
}

remote_call!(Nlm, Procedure::FreeAll, FreeAllArgs<'_> => ());
