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
//! over, is the inode as it is asked for afterwards, not the outcome.

use sluice_types::{FsError, InodeId, SetAttributes, Timestamp};
use sluice_wire::meta::{Changed, SetInode};

use crate::Caller;
use crate::core::Core;
use crate::file_state::WriteSession;

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
        let node = self.settle_guarded(&file).await?;
        match changes.modified {
            Some(_) => self.close_session(&file).await?,
            None => self.flush(&file).await?,
        }
        // The telling may have come to know of a newer version.
        let node = file.node().unwrap_or(node);
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
        let mut changed = changed?;
        if changes.size_bytes.is_none() && !file.has_session() {
            return Ok(changed);
        }
        match self.trim(&file).await {
            Ok(after) => changed.after = after,
            Err(error) => {
                // It was changed all the same: what it is now is asked for before the file is used.
                file.with_session(WriteSession::doubt);
                if changes.size_bytes.is_some() {
                    return Err(error);
                }
            }
        }
        Ok(changed)
    }
}
