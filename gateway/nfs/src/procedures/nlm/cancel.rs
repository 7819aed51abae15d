//! CANCEL: gives up waiting. DENIED if nobody waits so.

use sluice_proto_nfs::nlm::{CancelArgs, LockStatus};
use sluice_wire::meta::CancelLock;

use super::call::LockCall;
use crate::status::lock_status;

pub(super) async fn serve(locks: &LockCall<'_>, args: &CancelArgs<'_>) -> LockStatus {
    match ask(locks, args).await {
        Ok(status) | Err(status) => status,
    }
}

async fn ask(locks: &LockCall<'_>, args: &CancelArgs<'_>) -> Result<LockStatus, LockStatus> {
    let opened = locks.open(&args.lock.file)?;
    let cancel = CancelLock {
        inode: opened.inode,
        lock: locks.lock(&args.lock, args.exclusive)?,
    };
    let found = locks.files().cancel_lock(&opened.caller, cancel).await;
    Ok(match found.map_err(lock_status)? {
        true => LockStatus::Granted,
        false => LockStatus::Denied,
    })
}
