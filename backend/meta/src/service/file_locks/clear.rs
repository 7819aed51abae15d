//! Releases locks on an administrator's order.

use sluice_types::{FsError, InodeId};
use sluice_wire::meta::{CallContext, ClearLocks, LocksFreed};

use super::MetaService;
use crate::error::MetaError;
use crate::file_locks::Waiter;
use crate::namespace::is_same_name;
use crate::records::LockRecord;

impl MetaService {
    pub(super) async fn clear_locks(
        &self,
        context: &CallContext,
        clear: &ClearLocks,
    ) -> Result<LocksFreed, MetaError> {
        if !context.credentials.is_root() {
            return Err(FsError::NotPermitted.into());
        }
        let is_named = |name: &[u8]| {
            let named = clear.client.as_ref();
            named.is_none_or(|named| is_same_name(named, name))
        };
        let count = match (clear.inode, &clear.client) {
            (None, None) => return Err(FsError::Invalid.into()),
            (Some(inode), _) => {
                let now = self.clock.monotonic();
                let waits = |of: InodeId, waiter: &Waiter| {
                    of == inode && is_named(&waiter.lock.owner.client.name)
                };
                self.file_locks
                    .waiting(|waiting| waiting.forget_all(now, waits));
                let is_held = |lock: &LockRecord| is_named(&lock.owner.client.name);
                self.release(inode, is_held).await?
            }
            (None, Some(_)) => {
                let mut count = 0;
                for client in self.file_locks.clients() {
                    if is_named(&client.name) {
                        count += self.free_client(&client, None).await?;
                    }
                }
                count
            }
        };
        tracing::info!(count, file = ?clear.inode, client = ?clear.client, "released locks on an administrator's order");
        Ok(LocksFreed { count })
    }
}
