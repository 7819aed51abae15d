//! Gives up waiting for a lock.

use sluice_wire::meta::{CancelLock, LockCancelled};

use super::MetaService;
use crate::error::MetaError;

impl MetaService {
    pub(super) async fn cancel_lock(
        &self,
        cancel: &CancelLock,
    ) -> Result<LockCancelled, MetaError> {
        let (inode, lock) = (cancel.inode, &cancel.lock);
        let file = self.hold_file(inode).await?;
        let (waited, grant) = self
            .file_locks
            .waiting(|waiting| (waiting.forget(inode, lock), waiting.grant_of(inode, lock)));
        drop(file);
        let granted = match grant {
            Some(grant) => self.take_back(grant).await?,
            None => false,
        };
        let found = waited || granted;
        Ok(LockCancelled { found })
    }
}
