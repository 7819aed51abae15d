//! TEST: who is in the way.

use sluice_proto_nfs::nlm::{Holder, LockStatus, Owner, TestArgs, TestReply};
use sluice_wire::meta::{HeldLock, TestLock};

use super::call::LockCall;
use crate::status::lock_status;

/// What was found.
pub(super) enum Found {
    /// Somebody has it.
    Holder(HeldLock),
    /// Anything else.
    Other(LockStatus),
}

impl Found {
    /// As the protocol says it.
    pub(super) fn reply(&self) -> TestReply<'_> {
        match self {
            Self::Holder(held) => TestReply::Denied(Holder {
                exclusive: held.exclusive,
                process: held.owner.process,
                // It came in an owner of the same length.
                owner: Owner::new(&held.owner.handle).unwrap_or_default(),
                offset: held.range.first(),
                length: held.range.length(),
            }),
            Self::Other(status) => TestReply::Other(*status),
        }
    }
}

pub(super) async fn serve(locks: &LockCall<'_>, args: &TestArgs<'_>) -> Found {
    match ask(locks, args).await {
        Ok(Some(holder)) => Found::Holder(holder),
        Ok(None) => Found::Other(LockStatus::Granted),
        Err(status) => Found::Other(status),
    }
}

async fn ask(locks: &LockCall<'_>, args: &TestArgs<'_>) -> Result<Option<HeldLock>, LockStatus> {
    let opened = locks.open(&args.lock.file)?;
    let test = TestLock {
        inode: opened.inode,
        lock: locks.lock(&args.lock, args.exclusive)?,
    };
    let found = locks.files().test_lock(&opened.caller, test).await;
    found.map_err(lock_status)
}
