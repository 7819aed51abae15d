//! Locks of files.

use sluice_types::LockRange;

use super::message;
use crate::WireError;
use crate::convert::{enumeration, message, message_field};
use crate::meta::{
    AwaitLockGrants, CancelLock, ClearLocks, FreeLocks, HeldLock, ListLocks, Lock, LockAnswer,
    LockCancelled, LockClient, LockGrant, LockGrantEnd, LockGrants, LockList, LockOwner, LockPlace,
    LockStatus, LockTested, LockWait, Locked, LocksFreed, Share, TestLock, Unlock, Unshare,
};

enumeration!(LockWait = message::LockWait, "a way to wait" { No, Called, Polling });
enumeration!(LockAnswer = message::LockAnswer, "an answer" { Granted, Denied, Waiting, TooMany });

impl From<LockRange> for message::LockRange {
    fn from(range: LockRange) -> Self {
        Self {
            first: range.first(),
            last: range.last(),
        }
    }
}

impl TryFrom<message::LockRange> for LockRange {
    type Error = WireError;

    fn try_from(range: message::LockRange) -> Result<Self, WireError> {
        let (first, last) = (range.first, range.last);
        Self::from_bounds(first, last).ok_or_else(|| {
            WireError::invalid("range", "some bytes", format_args!("{first} to {last}"))
        })
    }
}

message_field!(LockRange = message::LockRange);
message!(LockClient = message::LockClient { name, address });
message!(
    LockOwner = message::LockOwner {
        client,
        process,
        handle
    }
);
message!(
    HeldLock = message::HeldLock {
        owner,
        range,
        exclusive
    }
);
message!(
    Lock = message::Lock {
        inode,
        lock,
        wait,
        client_state,
        note
    }
);
message!(Locked = message::Locked { answer });
message!(
    Unlock = message::Unlock {
        inode,
        owner,
        range
    }
);
message!(TestLock = message::TestLock { inode, lock });
message!(LockTested = message::LockTested { holder });
message!(CancelLock = message::CancelLock { inode, lock });
message!(LockCancelled = message::LockCancelled { found });
message!(
    Share = message::Share {
        inode,
        owner,
        access,
        deny
    }
);
message!(Unshare = message::Unshare { inode, owner });
message!(
    FreeLocks = message::FreeLocks {
        client,
        client_state
    }
);
message!(LocksFreed = message::LocksFreed { count });
message!(LockPlace = message::LockPlace { inode, number });
message!(
    ListLocks = message::ListLocks {
        inode,
        client,
        after,
        limit
    }
);
message!(
    LockStatus = message::LockStatus {
        place,
        owner,
        range,
        exclusive,
        access,
        deny,
        waiting
    }
);
message!(LockList = message::LockList { locks, end });
message!(ClearLocks = message::ClearLocks { inode, client });
message!(LockGrantEnd = message::LockGrantEnd { grant, accepted });
message!(AwaitLockGrants = message::AwaitLockGrants { ended });
message!(
    LockGrant = message::LockGrant {
        grant,
        inode,
        lock,
        note
    }
);
message!(LockGrants = message::LockGrants { grants, missed });
