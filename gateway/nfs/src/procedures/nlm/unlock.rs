//! UNLOCK. It needs no permission, and succeeds if there is nothing to release, or no file any more.

use sluice_proto_nfs::nlm::{LockStatus, UnlockArgs};
use sluice_types::FsError;
use sluice_wire::meta::{LockAnswer, Unlock};

use super::call::{LockCall, range, status_of};

pub(super) async fn serve(locks: &LockCall<'_>, args: &UnlockArgs<'_>) -> LockStatus {
    match ask(locks, args).await {
        Ok(status) | Err(status) => status,
    }
}

async fn ask(locks: &LockCall<'_>, args: &UnlockArgs<'_>) -> Result<LockStatus, LockStatus> {
    let opened = locks.open(&args.lock.file)?;
    let unlock = Unlock {
        inode: opened.inode,
        owner: locks.owner(&args.lock),
        range: range(&args.lock)?,
    };
    let answer = locks.files().unlock(&opened.caller, unlock).await;
    Ok(match answer {
        Err(FsError::Stale) => status_of(Ok(LockAnswer::Granted)),
        answer => status_of(answer),
    })
}
