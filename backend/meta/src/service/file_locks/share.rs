//! Shares of files, as DOS clients have them.

use sluice_wire::meta::{CallContext, LockAnswer, Locked, Share, Unshare};

use super::{MetaService, check_lockable};
use crate::error::MetaError;
use crate::file_locks::{LOCKS_PER_FILE_MAX, LockTable, check_owner};

impl MetaService {
    pub(super) async fn share(
        &self,
        context: &CallContext,
        share: &Share,
    ) -> Result<Locked, MetaError> {
        check_owner(&share.owner)?;
        let file = self.hold_file(share.inode).await?;
        let is_full = self.file_locks.is_full(&share.owner.client);
        let decide = |table: &mut LockTable, record: Option<&_>| {
            check_lockable(record, &context.credentials)?;
            if table.share_conflict(&share.owner, share.access, share.deny) {
                return Ok(LockAnswer::Denied);
            }
            if !table.has_share(&share.owner) && (is_full || table.len() >= LOCKS_PER_FILE_MAX) {
                return Ok(LockAnswer::TooMany);
            }
            table.share(&share.owner, share.access, share.deny);
            Ok(LockAnswer::Granted)
        };
        let (decided, point) = self.change_locks(&file, decide).await?;
        drop(file);
        self.until_durable(point).await?;
        let answer = decided?;
        if answer != LockAnswer::Granted {
            self.file_locks.denied();
        }
        Ok(Locked { answer })
    }

    pub(super) async fn unshare(&self, unshare: &Unshare) -> Result<Locked, MetaError> {
        let file = self.hold_file(unshare.inode).await?;
        let decide = |table: &mut LockTable, _: Option<&_>| {
            table.unshare(&unshare.owner);
            Ok(LockAnswer::Granted)
        };
        let (decided, point) = self.change_locks(&file, decide).await?;
        drop(file);
        self.until_durable(point).await?;
        let answer = decided?;
        Ok(Locked { answer })
    }
}
