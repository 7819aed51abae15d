//! What happens to an inode that loses a name.

use sluice_types::{FileKind, Timestamp};

use super::times::note_changed;
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
