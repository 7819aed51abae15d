//! Changing attributes, size included.
//!
//! The metadata service must know all that was written before it changes anything: a size that it does not know of it could
//! not cut, and times of writes that are told later would undo the times set now. So the file is held still and its
//! writes are told first. What a truncation leaves to be cut on storage is cut before the reply.
//!
//! Setting the modification time ends the write session: settling the file of a lost gateway gives it a new one, which
//! must not undo the one set here. It is mostly the last thing done to a file that was copied, so the session
//! would end soon anyway.
//!
//! A truncation names the data version that it cuts. If its answer is lost, the file gets another version before it is written
//! again; so a truncation that is carried out late, after the client was told to try again, cuts nothing.
//!
//! The outcome may be the recorded one of the same call sent before; so what is cut, and what the session takes
//! over, is the inode as it is asked for afterwards. What the client is told is the outcome alone, so that a call that comes again is
//! answered as the first was. As all writes were told before, it is right by itself.

use sluice_types::{DataVersion, FsError, Inode, InodeId, SetAttributes, Timestamp};
use sluice_wire::meta::{Changed, SetInode};

use crate::Caller;
use crate::core::Core;
use crate::file_state::{FileState, WriteSession};

impl Core {
    pub(crate) async fn set_attributes(
        &self,
        caller: &Caller,
        inode: InodeId,
        changes: SetAttributes,
        guard: Option<Timestamp>,
    ) -> Result<Changed, FsError> {
        caller.may_change()?;
        let file = self.files.acquire(inode);
        let _guard = file.exclude().await;
        let node = match self.tell_all(&file, &changes).await {
            Ok(node) => node,
            Err(error) => return self.done_before(caller, inode, changes, error).await,
        };
        let set = SetInode {
            inode,
            changes,
            guard,
            data_version: changes.size_bytes.map(|_| node.data_version),
        };
        let changing = vec![self.changing(inode)];
        let context = self.as_caller(caller);
        let changed = self.change(&context, set, changing).await;
        file.doubt_if_unknown(&changed);
        let changed = changed?;
        if changes.size_bytes.is_none() && !file.has_session() {
            return Ok(changed);
        }
        if let Err(error) = self.trim(&file).await {
            // It was changed all the same: what it is now is asked for before the file is used.
            file.with_session(WriteSession::doubt);
            if changes.size_bytes.is_some() {
                return Err(error);
            }
        }
        Ok(changed)
    }

    /// Has the metadata service know all that was written to a file whose attributes are to be set: the inode then. Needs the
    /// exclusive guard.
    async fn tell_all(&self, file: &FileState, changes: &SetAttributes) -> Result<Inode, FsError> {
        let node = self.settle_guarded(file).await?;
        match changes.modified {
            Some(_) => self.close_session(file).await?,
            None => self.flush(file).await?,
        }
        // The telling may have come to know of a newer version.
        Ok(file.node().unwrap_or(node))
    }

    /// What came of the call if it was done before, and the file is gone now or cannot be reached; else the `error`.
    async fn done_before(
        &self,
        caller: &Caller,
        inode: InodeId,
        changes: SetAttributes,
        error: FsError,
    ) -> Result<Changed, FsError> {
        if caller.call.is_none() {
            return Err(error);
        }
        let never = SetInode {
            inode,
            changes,
            guard: None,
            // No file ever has it: if the call is new, nothing is done.
            data_version: Some(DataVersion::new(u64::MAX)),
        };
        match self.ask(&self.as_caller(caller), never).await {
            Err(again) if again.is_transient() => Err(error),
            known => known,
        }
    }
}
