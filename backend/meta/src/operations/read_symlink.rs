//! Reads a symbolic link (RFC 1813 3.3.5).

use sluice_types::{FileKind, FsError};
use sluice_wire::meta::{ReadSymlink, SymlinkRead};

use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    read: &ReadSymlink,
) -> Result<SymlinkRead, MetaError> {
    let record = namespace.inode(read.inode).await?;
    if record.node.attributes.kind != FileKind::Symlink {
        return Err(FsError::Invalid.into());
    }
    let target = match namespace.symlink_target(read.inode).await {
        // Without a snapshot, the link may have been removed between the two reads.
        Err(MetaError::Damaged { .. }) if namespace.find_inode(read.inode).await?.is_none() => {
            return Err(FsError::Stale.into());
        }
        target => target?,
    };
    Ok(SymlinkRead {
        target,
        node: record.node,
    })
}
