//! Removes a name that is not a directory's (RFC 1813 3.3.12).

use sluice_types::{FileKind, FsError};
use sluice_wire::meta::{Remove, Removed};

use super::context::OperationContext;
use super::new_inode::open_directory;
use super::permission::check_take_out;
use super::times::change_directory;
use super::unlink::{drop_locks, drop_name};
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    remove: &Remove,
) -> Result<Removed, MetaError> {
    let (mut directory, found) =
        open_directory(namespace, context, remove.directory, &remove.name).await?;
    let found = found.ok_or(FsError::NotFound)?;
    let mut record = namespace.entry_inode(found.inode).await?;
    check_take_out(&directory, &record, context.credentials)?;
    if record.node.attributes.kind == FileKind::Directory {
        return Err(FsError::IsDirectory.into());
    }
    namespace
        .remove_entry(directory.node.id, found.cookie)
        .await?;
    drop_name(namespace, &mut record, context.now);
    drop_locks(namespace, context, &record).await?;
    directory.entry_count = directory.entry_count.saturating_sub(1);
    let change = change_directory(&mut directory, context.now);
    namespace.put_inode(&directory);
    Ok(Removed {
        node: record.node,
        directory: change,
    })
}
