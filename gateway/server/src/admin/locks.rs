//! Locks of files: who holds them, who waits, and releasing them by force.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde::Serialize;
use sluice_types::{Access, InodeId};
use sluice_wire::meta::{CallContext, ClearLocks, ListLocks, LockStatus, MetadataExt as _};

use super::Cluster;

/// Asked for at once.
const PAGE: u32 = 1000;

/// Which locks are meant: those of a file, of clients of a name, or of those clients in that file; all if neither is
/// given.
#[derive(Clone, Debug, Default)]
pub struct LockFilter {
    /// The file's path from the file system's root.
    pub path: Option<String>,
    /// What a client calls itself.
    pub client: Option<String>,
}

/// A lock or share, held or waited for.
#[derive(Clone, Debug, Serialize)]
pub struct LockLine {
    /// The file's inode, as `ls -i` and `find -inum` know it.
    pub inode: u64,
    /// `lock` or `share`.
    pub kind: &'static str,
    /// Whether it is waited for, not held.
    pub waiting: bool,
    /// Whether nobody else may have a lock there.
    pub exclusive: bool,
    /// The first byte of a lock.
    pub first: Option<u64>,
    /// The last byte of a lock; none if it is to the end.
    pub last: Option<u64>,
    /// What the owner of a share does: `read`, `write`, `read write`, `nothing`.
    pub access: Option<&'static str>,
    /// What a share lets nobody else do.
    pub deny: Option<&'static str>,
    /// What the client calls itself.
    pub client: String,
    /// Where it calls from.
    pub address: String,
    /// The owner's number there.
    pub process: i32,
}

/// Locks that are held, in the order of their files, then those that are waited for.
///
/// # Errors
/// If there is no such path, or the metadata service does not answer.
pub async fn locks(cluster: &Cluster, filter: &LockFilter) -> anyhow::Result<Vec<LockLine>> {
    let (inode, client) = resolved(cluster, filter).await?;
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let list = ListLocks {
            inode,
            client: client.clone(),
            after,
            limit: PAGE,
        };
        let page = cluster.meta.run(&CallContext::internal(), list).await;
        let page = page.context("the locks cannot be listed")?;
        after = page.locks.last().map(|lock| lock.place);
        lines.extend(page.locks.iter().map(line));
        if page.end || after.is_none() {
            return Ok(lines);
        }
    }
}

/// Releases locks by force: how many locks and shares that were. Their owners are not told.
///
/// # Errors
/// If neither file nor client is named, there is no such path, or the metadata service does not answer.
pub async fn clear_locks(cluster: &Cluster, filter: &LockFilter) -> anyhow::Result<u64> {
    let (inode, client) = resolved(cluster, filter).await?;
    ensure!(
        inode.is_some() || client.is_some(),
        "say whose locks are to be released: --path, --client or both"
    );
    let clear = ClearLocks { inode, client };
    let cleared = cluster.meta.run(&CallContext::internal(), clear).await;
    Ok(cleared.context("the locks cannot be released")?.count)
}

async fn resolved(
    cluster: &Cluster,
    filter: &LockFilter,
) -> anyhow::Result<(Option<InodeId>, Option<Bytes>)> {
    let inode = match &filter.path {
        Some(path) => Some(cluster.resolve(path).await?.id),
        None => None,
    };
    let client = filter.client.as_ref();
    let client = client.map(|name| Bytes::copy_from_slice(name.as_bytes()));
    Ok((inode, client))
}

fn line(lock: &LockStatus) -> LockLine {
    let share = |set| lock.range.is_none().then(|| in_words(set));
    LockLine {
        inode: lock.place.inode.raw(),
        kind: if lock.range.is_some() {
            "lock"
        } else {
            "share"
        },
        waiting: lock.waiting,
        exclusive: lock.exclusive,
        first: lock.range.map(|range| range.first()),
        last: lock
            .range
            .map(|range| range.last())
            .filter(|last| *last < u64::MAX),
        access: share(lock.access),
        deny: share(lock.deny),
        client: String::from_utf8_lossy(&lock.owner.client.name).into_owned(),
        address: lock.owner.client.address.to_string(),
        process: lock.owner.process,
    }
}

fn in_words(set: Access) -> &'static str {
    match (set.contains(Access::READ), set.contains(Access::WRITE)) {
        (true, true) => "read write",
        (true, false) => "read",
        (false, true) => "write",
        (false, false) => "nothing",
    }
}
