//! Releases a range.

use sluice_wire::meta::{LockAnswer, Locked, Unlock};

use super::MetaService;
use crate::error::MetaError;
use crate::file_locks::{LOCKS_PER_FILE_MAX, LockTable};

impl MetaService {
    pub(super) async fn unlock(&self, unlock: &Unlock) -> Result<Locked, MetaError> {
        let (inode, owner, range) = (unlock.inode, &unlock.owner, unlock.range);
        let file = self.hold_file(inode).await?;
        // Who releases what it waits for does not wait any more: so does a client whose program was killed.
        self.file_locks
            .waiting(|waiting| waiting.forget_range(inode, owner, range));
        let decide = |table: &mut LockTable, _: Option<&_>| {
            let before = table.len();
            table.unlock(owner, range);
            if table.len() > before && table.len() > LOCKS_PER_FILE_MAX {
                table.give_up();
                return Ok(LockAnswer::TooMany);
            }
            Ok(LockAnswer::Granted)
        };
        let (decided, point) = self.change_locks(&file, decide).await?;
        drop(file);
        self.until_durable(point).await?;
        let answer = decided?;
        Ok(Locked { answer })
    }
}
