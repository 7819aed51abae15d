//! LOCK and NM_LOCK.
//!
//! There is no grace period, so a reclaim is a lock like any other: what a client held before is still held, and granted
//! again.
//!
//! A client that waits is answered BLOCKED, and called when the lock is its own. One that cannot be called is told
//! DENIED_GRACE_PERIOD instead: then clients ask again by themselves after some seconds (Linux and FreeBSD: 5 s), and not
//! only after the 30 s that they give a call to come. Until then its place in the queue is kept.

use bytes::Bytes;
use sluice_proto_nfs::nlm::{LockArgs, LockStatus, NonMonitoredLockArgs};
use sluice_wire::meta::{Lock, LockAnswer, LockWait};

use super::call::{LockCall, status_of};
use crate::lock_callbacks::CallbackNote;

pub(super) async fn serve(locks: &LockCall<'_>, args: &LockArgs<'_>) -> LockStatus {
    match ask(locks, args).await {
        Ok(status) | Err(status) => status,
    }
}

/// The arguments of NM_LOCK as those of LOCK. The client's state is none that NSM tells of.
pub(super) fn monitored<'a>(args: &NonMonitoredLockArgs<'a>) -> LockArgs<'a> {
    LockArgs {
        cookie: args.cookie,
        block: args.block,
        exclusive: args.exclusive,
        lock: args.lock,
        reclaim: args.reclaim,
        state: 0,
    }
}

async fn ask(locks: &LockCall<'_>, args: &LockArgs<'_>) -> Result<LockStatus, LockStatus> {
    let opened = locks.open(&args.lock.file)?;
    let wait = way_to_wait(locks, args.block);
    let note = CallbackNote {
        server: locks.call.server,
        handle: Bytes::copy_from_slice(&args.lock.file),
    };
    let lock = Lock {
        inode: opened.inode,
        lock: locks.lock(&args.lock, args.exclusive)?,
        wait,
        client_state: args.state,
        note: note.encode(),
    };
    let answer = locks.files().lock(&opened.caller, lock).await;
    Ok(match answer {
        Ok(LockAnswer::Waiting) if wait == LockWait::Polling => LockStatus::DeniedGracePeriod,
        answer => status_of(answer),
    })
}

fn way_to_wait(locks: &LockCall<'_>, block: bool) -> LockWait {
    if !block {
        return LockWait::No;
    }
    let (client, server) = (locks.call.client, locks.call.server);
    let now = locks.engine.clock.monotonic();
    match locks.engine.lock_callbacks.can_call(client, server, now) {
        true => LockWait::Called,
        false => LockWait::Polling,
    }
}
