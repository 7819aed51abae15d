//! What happens to an inode that loses a name.

use sluice_types::{FileKind, Timestamp};

use super::context::OperationContext;
use super::times::note_changed;
use crate::error::MetaError;
use crate::namespace::Namespace;
use crate::records::InodeRecord;

/// Takes one name from an inode. A directory goes with its only name; any other inode with its last.
pub(super) fn drop_name(namespace: &mut Namespace<'_>, record: &mut InodeRecord, now: Timestamp) {
    let attributes = &mut record.node.attributes;
    note_changed(attributes, now);
    attributes.link_count = match attributes.kind {
        FileKind::Directory => 0,
        _ => attributes.link_count.saturating_sub(1),
    };
    if attributes.link_count == 0 {
        namespace.remove_inode(record);
    } else {
        namespace.put_inode(record);
    }
}

/// Takes along the locks of an inode that lost its last name.
pub(super) async fn drop_locks(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    record: &InodeRecord,
) -> Result<(), MetaError> {
    let is_gone = record.node.attributes.link_count == 0;
    if is_gone && context.file_locks.may_have(record.node.id) {
        namespace.remove_locks(record.node.id).await?;
    }
    Ok(())
}
