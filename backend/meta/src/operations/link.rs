//! Gives an inode another name (RFC 1813 3.3.15).

use sluice_types::{FileKind, FsError};
use sluice_wire::meta::{Link, Made};

use super::context::OperationContext;
use super::new_inode::{LINK_COUNT_MAX, open_directory};
use super::permission::check_change_entries;
use super::times::{change_directory, note_changed};
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    link: &Link,
) -> Result<Made, MetaError> {
    let mut record = namespace.inode(link.inode).await?;
    let (mut directory, found) =
        open_directory(namespace, context, link.directory, &link.name).await?;
    if found.is_some() {
        return Err(FsError::Exists.into());
    }
    check_change_entries(&directory, context.credentials)?;
    let attributes = &mut record.node.attributes;
    if attributes.kind == FileKind::Directory {
        return Err(FsError::NotPermitted.into());
    }
    if attributes.link_count >= LINK_COUNT_MAX {
        return Err(FsError::TooManyLinks.into());
    }
    attributes.link_count += 1;
    note_changed(attributes, context.now);
    namespace
        .insert_entry(directory.node.id, &link.name, record.node.id)
        .await?;
    directory.entry_count += 1;
    let change = change_directory(&mut directory, context.now);
    namespace.put_inode(&record);
    namespace.put_inode(&directory);
    Ok(Made {
        node: record.node,
        directory: change,
        existed: true,
    })
}
