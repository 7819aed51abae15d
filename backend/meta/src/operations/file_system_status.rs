//! Counts the file system's inodes (RFC 1813 3.3.18).

use sluice_wire::meta::FileSystemCounts;

use crate::error::MetaError;
use crate::namespace::Namespace;
use crate::records::keys;

/// How many inodes there can be: not a limit of the format, but what `df -i` counts down from.
const INODES_MAX: u64 = 1 << 40;

pub(super) async fn run(namespace: &mut Namespace<'_>) -> Result<FileSystemCounts, MetaError> {
    let inodes_used = namespace.counter(&keys::inode_count()).await?;
    Ok(FileSystemCounts {
        inodes_used,
        inodes_free: INODES_MAX.saturating_sub(inodes_used),
        removals_queued: namespace.counter(&keys::removal_count()).await?,
    })
}
