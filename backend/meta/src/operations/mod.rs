//! The operations of the metadata service: one file each, each a plain function over a transaction.
//!
//! An operation reads what it needs, decides (permissions included, so that they hold at the moment of
//! the change), and writes; it neither waits for a flush nor retries, which the service does around
//! it. An operation that is refused writes nothing. The order of its checks is that of Linux, so that
//! where several errors apply, a client sees the one it expects.

mod attributes;
mod begin_write;
mod check_access;
mod context;
mod create;
mod file_system_status;
mod find_removal;
mod finish_removals;
mod finish_trim;
mod inode_read;
mod link;
mod list_inodes;
mod list_removals;
mod lookup;
mod make_directory;
mod make_node;
mod make_symlink;
mod new_inode;
mod permission;
mod read_directory;
mod read_symlink;
mod remove;
mod remove_directory;
mod rename;
mod set_inode;
mod set_layout;
mod times;
mod unlink;
mod update_written;

#[cfg(test)]
mod tests;

use sluice_types::{FsError, InodeId};
use sluice_wire::meta::{Operation, Outcome};
use smallvec::smallvec;

pub use context::{FreshInode, OperationContext};
pub use new_inode::LINK_COUNT_MAX;
pub(crate) use new_inode::root_directory;

use crate::error::MetaError;
use crate::kv::Isolation;
use crate::locks::LockSet;
use crate::namespace::Namespace;

/// How an operation is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How its reads must fit together.
    pub isolation: Isolation,
    /// Whether it may write.
    pub writes: bool,
    /// Whether it may make an inode, for which it then takes [`OperationContext::fresh`].
    pub makes_inode: bool,
    /// What it locks.
    pub locks: LockSet,
    /// Whether it needs to know of files it reads what only their writers know.
    pub minds_writers: bool,
    /// Of what a caller that wants a lease gets one: what the arguments name.
    pub leased: Option<InodeId>,
}

/// How `operation` is to be run.
pub fn plan(operation: &Operation) -> Plan {
    let (makes_inode, locks) = match operation {
        Operation::Create(create) => (true, one(create.directory)),
        Operation::MakeDirectory(make) => (true, one(make.directory)),
        Operation::MakeSymlink(make) => (true, one(make.directory)),
        Operation::MakeNode(make) => (true, one(make.directory)),
        Operation::Link(link) => (false, two(link.directory, link.inode)),
        Operation::Remove(remove) => (false, one(remove.directory)),
        Operation::RemoveDirectory(remove) => (false, one(remove.directory)),
        Operation::Rename(rename) => (false, rename::locks(rename)),
        Operation::SetInode(set) => (false, one(set.inode)),
        Operation::BeginWrite(begin) => (false, one(begin.inode)),
        Operation::UpdateWritten(update) => (false, one(update.inode)),
        Operation::FinishTrim(finish) => (false, one(finish.inode)),
        Operation::SetLayout(set) => (false, one(set.directory)),
        Operation::FinishRemovals(_) => (false, LockSet::default()),
        Operation::Lookup(lookup) => {
            let leased = Some(lookup.directory);
            return read(Isolation::Serializable, leased);
        }
        Operation::GetInode(get) => return read(Isolation::Latest, Some(get.inode)),
        _ => return read(Isolation::Latest, None),
    };
    // What a writer tells is about its own file; from anyone else it is of no effect.
    let tells = matches!(
        operation,
        Operation::UpdateWritten(_) | Operation::FinishTrim(_)
    );
    Plan {
        isolation: Isolation::Serializable,
        writes: true,
        makes_inode,
        locks,
        minds_writers: !tells,
        leased: None,
    }
}

/// Carries out `operation` in the transaction of `namespace`.
///
/// # Errors
/// What the operation is refused with, or what the store reports.
pub async fn execute(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    operation: &Operation,
) -> Result<Outcome, MetaError> {
    let (ns, cx) = (namespace, context);
    Ok(match operation {
        Operation::Lookup(op) => Outcome::Lookup(lookup::run(ns, cx, op).await?),
        Operation::GetInode(op) => Outcome::GetInode(inode_read::run(ns, op).await?),
        Operation::SetInode(op) => Outcome::SetInode(set_inode::run(ns, cx, op).await?),
        Operation::CheckAccess(op) => Outcome::CheckAccess(check_access::run(ns, cx, op).await?),
        Operation::Create(op) => Outcome::Create(create::run(ns, cx, op).await?),
        Operation::MakeDirectory(op) => {
            Outcome::MakeDirectory(make_directory::run(ns, cx, op).await?)
        }
        Operation::MakeSymlink(op) => Outcome::MakeSymlink(make_symlink::run(ns, cx, op).await?),
        Operation::MakeNode(op) => Outcome::MakeNode(make_node::run(ns, cx, op).await?),
        Operation::Link(op) => Outcome::Link(link::run(ns, cx, op).await?),
        Operation::Remove(op) => Outcome::Remove(remove::run(ns, cx, op).await?),
        Operation::RemoveDirectory(op) => {
            Outcome::RemoveDirectory(remove_directory::run(ns, cx, op).await?)
        }
        Operation::Rename(op) => Outcome::Rename(rename::run(ns, cx, op).await?),
        Operation::ReadSymlink(op) => Outcome::ReadSymlink(read_symlink::run(ns, op).await?),
        Operation::ReadDirectory(op) => {
            Outcome::ReadDirectory(read_directory::run(ns, cx, op).await?)
        }
        Operation::FileSystemStatus(_) => {
            Outcome::FileSystemStatus(file_system_status::run(ns).await?)
        }
        Operation::BeginWrite(op) => Outcome::BeginWrite(begin_write::run(ns, cx, op).await?),
        Operation::UpdateWritten(op) => {
            Outcome::UpdateWritten(update_written::run(ns, cx, op).await?)
        }
        Operation::FinishTrim(op) => Outcome::FinishTrim(finish_trim::run(ns, cx, op).await?),
        Operation::ListRemovals(op) => Outcome::ListRemovals(list_removals::run(ns, cx, op).await?),
        Operation::FinishRemovals(op) => {
            Outcome::FinishRemovals(finish_removals::run(ns, op).await?)
        }
        Operation::FindRemoval(op) => Outcome::FindRemoval(find_removal::run(ns, op).await?),
        Operation::ListInodes(op) => Outcome::ListInodes(list_inodes::run(ns, op).await?),
        Operation::SetLayout(op) => Outcome::SetLayout(set_layout::run(ns, cx, op).await?),
        // These are about the service, not the tree: see `crate::service`.
        Operation::GetMap(_)
        | Operation::RegisterTargets(_)
        | Operation::OpenSession(_)
        | Operation::CloseSession(_)
        | Operation::AwaitRecalls(_)
        | Operation::ListSessions(_)
        | Operation::ListWrites(_)
        | Operation::Lock(_)
        | Operation::Unlock(_)
        | Operation::TestLock(_)
        | Operation::CancelLock(_)
        | Operation::Share(_)
        | Operation::Unshare(_)
        | Operation::FreeLocks(_)
        | Operation::ListLocks(_)
        | Operation::ClearLocks(_)
        | Operation::AwaitLockGrants(_)
        | Operation::CheckMetadata(_) => return Err(FsError::Internal.into()),
    })
}

fn read(isolation: Isolation, leased: Option<InodeId>) -> Plan {
    Plan {
        isolation,
        writes: false,
        makes_inode: false,
        locks: LockSet::default(),
        minds_writers: true,
        leased,
    }
}

fn one(inode: InodeId) -> LockSet {
    LockSet {
        inodes: smallvec![inode],
        between_directories: false,
    }
}

fn two(first: InodeId, second: InodeId) -> LockSet {
    LockSet {
        inodes: smallvec![first, second],
        between_directories: false,
    }
}
