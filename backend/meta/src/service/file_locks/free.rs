//! Releases all that a client holds and waits for.

use sluice_types::InodeId;
use sluice_wire::meta::{FreeLocks, LockClient, LocksFreed};

use super::MetaService;
use crate::error::MetaError;
use crate::file_locks::{LockTable, Waiter};
use crate::kv::Isolation;
use crate::namespace::{Namespace, is_same_name};
use crate::records::LockRecord;

/// A client's files looked up at once.
const PAGE: usize = 1024;

impl MetaService {
    pub(super) async fn free_locks(&self, free: &FreeLocks) -> Result<LocksFreed, MetaError> {
        let count = self.free_client(&free.client, free.client_state).await?;
        let client = String::from_utf8_lossy(&free.client.name);
        let address = free.client.address;
        tracing::info!(%client, %address, count, "released the locks of a client that restarted");
        Ok(LocksFreed { count })
    }

    /// Releases all of a client but what it took in its life `but_of`.
    pub(super) async fn free_client(
        &self,
        client: &LockClient,
        but_of: Option<i32>,
    ) -> Result<u64, MetaError> {
        let is_its = |other: &LockClient, state: i32| {
            is_same_machine(other, client) && Some(state) != but_of
        };
        let waits =
            |_: InodeId, waiter: &Waiter| is_its(&waiter.lock.owner.client, waiter.client_state);
        let now = self.clock.monotonic();
        self.file_locks
            .waiting(|waiting| waiting.forget_all(now, waits));
        let is_held = |lock: &LockRecord| is_its(&lock.owner.client, lock.client_state);
        let mut count = 0;
        let mut after = None;
        loop {
            let mut namespace = Namespace::begin(&*self.engine, Isolation::Latest, &self.names);
            let files = namespace.files_locked_by(client, after, PAGE).await?;
            let Some(last) = files.last() else {
                return Ok(count);
            };
            after = Some(*last);
            for inode in files {
                count += self.release(inode, is_held).await?;
            }
        }
    }

    /// Releases the locks of a file that `is_to_go`; how many that were.
    pub(super) async fn release(
        &self,
        inode: InodeId,
        is_to_go: impl Fn(&LockRecord) -> bool,
    ) -> Result<u64, MetaError> {
        let file = self.hold_file(inode).await?;
        let decide = |table: &mut LockTable, _: Option<&_>| Ok(table.release(&is_to_go));
        let (released, point) = self.change_locks(&file, decide).await?;
        drop(file);
        self.until_durable(point).await?;
        Ok(released?)
    }
}

fn is_same_machine(one: &LockClient, other: &LockClient) -> bool {
    one.address == other.address && is_same_name(&one.name, &other.name)
}
