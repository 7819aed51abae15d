//! Opens a regular file for writing by the caller's session.

use sluice_types::{DataVersion, FileKind, FsError, Inode};
use sluice_wire::meta::BeginWrite;

use super::attributes::drop_set_ids_for_write;
use super::context::OperationContext;
use super::permission::check_write_data;
use super::times::{note_changed, note_modified};
use crate::error::MetaError;
use crate::namespace::Namespace;

/// Refused as `Invalid` without a session: there would be nobody to end the write. A file whose writer's session has ended
/// gets new times with it: nobody knows which writes came after that one's last report, and clients must not take old
/// pages for new.
pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    begin: &BeginWrite,
) -> Result<Inode, MetaError> {
    if context.session.raw() == 0 {
        return Err(FsError::Invalid.into());
    }
    let mut record = namespace.inode(begin.inode).await?;
    match record.node.attributes.kind {
        FileKind::Regular => {}
        FileKind::Directory => return Err(FsError::IsDirectory.into()),
        _ => return Err(FsError::Invalid.into()),
    }
    check_write_data(&record.node.attributes, context.credentials)?;
    let mode = record.node.attributes.mode;
    drop_set_ids_for_write(&mut record.node.attributes, context.credentials);
    if record.node.attributes.mode != mode {
        note_changed(&mut record.node.attributes, context.now);
    }
    let writer = &mut record.node.writer;
    if writer.raw() != 0 && *writer != context.session {
        note_modified(&mut record.node.attributes, context.now);
    }
    record.node.data_version = DataVersion::new(record.node.data_version.raw() + 1);
    record.node.writer = context.session;
    namespace.put_inode(&record);
    Ok(record.node)
}
