//! What the procedures have in common: files, owners and ranges.

use std::sync::Arc;

use bytes::Bytes;
use sluice_proto_nfs::nfs3::FileHandle;
use sluice_proto_nfs::nlm::{FileHandleBytes, Lock, LockStatus};
use sluice_types::{Credentials, FsError, InodeId, LockRange};
use sluice_vfs::Caller;
use sluice_wire::meta::{HeldLock, LockAnswer, LockClient, LockOwner};

use crate::call::Call;
use crate::engine::Engine;
use crate::files::FileService;
use crate::status::lock_status;

/// A call of NLM, and all it needs.
pub(super) struct LockCall<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) call: &'a Call,
}

/// What a handle in the arguments led to.
pub(super) struct Opened {
    pub(super) inode: InodeId,
    pub(super) caller: Caller,
}

impl<'a> LockCall<'a> {
    pub(super) fn files(&self) -> &'a dyn FileService {
        &*self.engine.files
    }

    /// What a handle leads to.
    ///
    /// # Errors
    ///
    /// STALE_FH for a handle that is forged, of another file system, or of an export that is no more; FAILED for
    /// an export that the client may not use.
    pub(super) fn open(&self, file: &FileHandleBytes<'_>) -> Result<Opened, LockStatus> {
        let handle = FileHandle::new(file).map_err(|_| LockStatus::StaleHandle)?;
        let contents = self.engine.handles.read(&handle);
        let contents = contents.map_err(|_| LockStatus::StaleHandle)?;
        let export = self.engine.exports.by_id(contents.export);
        let export = export.ok_or(LockStatus::StaleHandle)?;
        if !self.call.may_use(export) {
            return Err(LockStatus::Failed);
        }
        let credentials = match &self.call.identity {
            Some((_, credentials)) => export.squash(credentials.clone()),
            None => Credentials::new(export.anonymous_uid, export.anonymous_gid),
        };
        Ok(Opened {
            inode: contents.inode,
            caller: Caller {
                session: self.call.session,
                ..Caller::new(credentials)
            },
        })
    }

    /// The client, by what it calls itself.
    pub(super) fn client(&self, name: &[u8]) -> LockClient {
        LockClient {
            name: Bytes::copy_from_slice(name),
            address: self.call.client,
        }
    }

    /// Whose lock it is.
    pub(super) fn owner(&self, lock: &Lock<'_>) -> LockOwner {
        LockOwner {
            client: self.client(&lock.caller),
            process: lock.process,
            handle: Bytes::copy_from_slice(&lock.owner),
        }
    }

    /// A lock as it is asked for.
    ///
    /// # Errors
    ///
    /// FBIG if it would end beyond byte 2^64 - 1.
    pub(super) fn lock(&self, lock: &Lock<'_>, exclusive: bool) -> Result<HeldLock, LockStatus> {
        Ok(HeldLock {
            owner: self.owner(lock),
            range: range(lock)?,
            exclusive,
        })
    }
}

/// The bytes that a lock is of.
///
/// # Errors
///
/// FBIG if it would end beyond byte 2^64 - 1.
pub(super) fn range(lock: &Lock<'_>) -> Result<LockRange, LockStatus> {
    LockRange::new(lock.offset, lock.length).map_err(lock_status)
}

/// The status of an answer that was no waiting.
pub(super) fn status_of(answer: Result<LockAnswer, FsError>) -> LockStatus {
    match answer {
        Ok(LockAnswer::Granted) => LockStatus::Granted,
        Ok(LockAnswer::Denied) => LockStatus::Denied,
        Ok(LockAnswer::Waiting) => LockStatus::Blocked,
        Ok(LockAnswer::TooMany) => LockStatus::DeniedNoLocks,
        Err(error) => lock_status(error),
    }
}
