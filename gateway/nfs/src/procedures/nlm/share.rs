//! SHARE and UNSHARE: what DOS clients open files with.

use bytes::Bytes;
use sluice_proto_nfs::nlm::{LockStatus, Share as ShareArgs, ShareAccess, ShareMode};
use sluice_types::Access;
use sluice_wire::meta::{LockOwner, Share, Unshare};

use super::call::{LockCall, status_of};

pub(super) async fn take(locks: &LockCall<'_>, args: &ShareArgs<'_>) -> LockStatus {
    let opened = match locks.open(&args.file) {
        Ok(opened) => opened,
        Err(status) => return status,
    };
    let both = Access::READ.and(Access::WRITE);
    let share = Share {
        inode: opened.inode,
        owner: owner(locks, args),
        access: match args.access {
            ShareAccess::None => Access::NONE,
            ShareAccess::Read => Access::READ,
            ShareAccess::Write => Access::WRITE,
            ShareAccess::ReadWrite => both,
        },
        deny: match args.mode {
            ShareMode::DenyNone => Access::NONE,
            ShareMode::DenyRead => Access::READ,
            ShareMode::DenyWrite => Access::WRITE,
            ShareMode::DenyReadWrite => both,
        },
    };
    status_of(locks.files().share(&opened.caller, share).await)
}

pub(super) async fn release(locks: &LockCall<'_>, args: &ShareArgs<'_>) -> LockStatus {
    let opened = match locks.open(&args.file) {
        Ok(opened) => opened,
        Err(status) => return status,
    };
    let unshare = Unshare {
        inode: opened.inode,
        owner: owner(locks, args),
    };
    status_of(locks.files().unshare(&opened.caller, unshare).await)
}

/// A share's owner is no process.
fn owner(locks: &LockCall<'_>, args: &ShareArgs<'_>) -> LockOwner {
    LockOwner {
        client: locks.client(&args.caller),
        process: 0,
        handle: Bytes::copy_from_slice(&args.owner),
    }
}
