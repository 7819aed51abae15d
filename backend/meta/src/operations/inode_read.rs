//! Reads an inode (RFC 1813 3.3.1). Needs no permission but the handle.

use sluice_types::Inode;
use sluice_wire::meta::GetInode;

use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(namespace: &mut Namespace<'_>, get: &GetInode) -> Result<Inode, MetaError> {
    Ok(namespace.inode(get.inode).await?.node)
}
