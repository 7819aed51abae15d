//! The operations about locks of files: one file each. How they work together is in [`crate::file_locks`].

mod await_grants;
mod cancel;
mod clear;
mod free;
mod list;
mod lock;
mod share;
mod test;
mod unlock;

use sluice_types::{Access, Credentials, FileKind, FsError, InodeId, may};
use sluice_wire::meta::{CallContext, Operation, Outcome};
use smallvec::smallvec;
use tokio::sync::SemaphorePermit;

use super::{ATTEMPTS_MAX, MetaService};
use crate::error::MetaError;
use crate::file_locks::LockTable;
use crate::kv::{CommitPoint, Isolation, KvError};
use crate::locks::{HeldLocks, LockSet};
use crate::namespace::Namespace;
use crate::records::InodeRecord;

/// A file whose locks nobody else changes meanwhile.
#[derive(Debug)]
struct HeldFile<'a> {
    inode: InodeId,
    _lock: HeldLocks<'a>,
    _place: SemaphorePermit<'a>,
}

impl MetaService {
    /// Carries out an operation about locks of files.
    pub(super) async fn serve_file_locks(
        &self,
        context: &CallContext,
        operation: &Operation,
    ) -> Result<Outcome, MetaError> {
        Ok(match operation {
            Operation::Lock(op) => Outcome::Lock(self.lock(context, op).await?),
            Operation::Unlock(op) => Outcome::Unlock(self.unlock(op).await?),
            Operation::TestLock(op) => Outcome::TestLock(self.test_lock(context, op).await?),
            Operation::CancelLock(op) => Outcome::CancelLock(self.cancel_lock(op).await?),
            Operation::Share(op) => Outcome::Share(self.share(context, op).await?),
            Operation::Unshare(op) => Outcome::Unshare(self.unshare(op).await?),
            Operation::FreeLocks(op) => Outcome::FreeLocks(self.free_locks(op).await?),
            Operation::ListLocks(op) => Outcome::ListLocks(self.list_locks(op).await?),
            Operation::ClearLocks(op) => Outcome::ClearLocks(self.clear_locks(context, op).await?),
            Operation::AwaitLockGrants(op) => {
                Outcome::AwaitLockGrants(self.await_lock_grants(context, op).await?)
            }
            _ => return Err(FsError::Internal.into()),
        })
    }

    /// Waits until nobody else changes a file's locks.
    async fn hold_file(&self, inode: InodeId) -> Result<HeldFile<'_>, MetaError> {
        let place = self.places.acquire().await;
        let set = LockSet {
            inodes: smallvec![inode],
            between_directories: false,
        };
        Ok(HeldFile {
            inode,
            _place: place.map_err(|_| FsError::Unavailable)?,
            _lock: self.locks.hold(&set).await,
        })
    }

    /// Has `decide` change a file's locks, gives to waiters what became free, and commits. What was decided holds from the
    /// commit point on; a refusal changes nothing.
    async fn change_locks<T>(
        &self,
        file: &HeldFile<'_>,
        decide: impl Fn(&mut LockTable, Option<&InodeRecord>) -> Result<T, FsError>,
    ) -> Result<(Result<T, FsError>, CommitPoint), MetaError> {
        for _ in 0..ATTEMPTS_MAX {
            let mut namespace =
                Namespace::begin(&*self.engine, Isolation::Serializable, &self.names);
            let record = namespace.find_inode(file.inode).await?;
            let mut table = LockTable::new(namespace.locks_of(file.inode).await?);
            let had_none = table.is_empty();
            let result = decide(&mut table, record.as_ref());
            let now = self.clock.monotonic();
            let mut chosen = Vec::new();
            let is_kept = result.is_ok() && !table.is_given_up();
            if is_kept {
                chosen = self.file_locks.choose(file.inode, &mut table, now);
                if let Some(record) = record.filter(|_| had_none && !table.is_empty()) {
                    // So that a removal of the file conflicts that does not know of its locks.
                    self.file_locks.expect(file.inode);
                    namespace.put_inode(&record);
                }
                save(&mut namespace, file.inode, &table);
            }
            match namespace.commit().await {
                Ok(point) => {
                    if is_kept {
                        let locks = &self.file_locks;
                        locks.committed(file.inode, &table, chosen, point, now);
                    }
                    return Ok((result, point));
                }
                Err(MetaError::Store(KvError::Conflict)) => {
                    self.metrics.conflicts.increment(1);
                    tokio::task::yield_now().await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(KvError::Conflict.into())
    }

    /// Waits until a commit is durable.
    async fn until_durable(&self, point: CommitPoint) -> Result<(), MetaError> {
        if !self.engine.is_durable(point) {
            self.engine.durable(point).await?;
        }
        Ok(())
    }
}

/// Writes what changed of a file's locks.
fn save(namespace: &mut Namespace<'_>, inode: InodeId, table: &LockTable) {
    for client in table.losers() {
        let hash = namespace.hash_of(client);
        let mut left = table.locks().map(|lock| &lock.owner.client);
        if !left.any(|other| other == client || namespace.hash_of(other) == hash) {
            namespace.forget_client_lock(client, inode);
        }
    }
    for (number, lock) in table.changes() {
        match lock {
            Some(lock) => namespace.put_lock(inode, number, lock),
            None => namespace.delete_lock(inode, number),
        }
    }
}

/// Whether the caller may lock the file: whoever may read or write it, and its owner, as clients check at open only.
fn check_lockable(record: Option<&InodeRecord>, credentials: &Credentials) -> Result<(), FsError> {
    let attributes = &record.ok_or(FsError::Stale)?.node.attributes;
    if attributes.kind != FileKind::Regular {
        return Err(FsError::Invalid);
    }
    let is_owner = credentials.uid == attributes.uid;
    let allowed = [Access::READ, Access::WRITE]
        .into_iter()
        .any(|wanted| may(attributes, credentials, wanted));
    (is_owner || allowed)
        .then_some(())
        .ok_or(FsError::AccessDenied)
}
