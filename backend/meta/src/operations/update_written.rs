//! Records what writing did to a file.

use sluice_types::{Attributes, FILE_SIZE_MAX, FileKind, FsError, SessionId, Timestamp};
use sluice_wire::meta::{Changed, UpdateWritten};

use super::context::OperationContext;
use super::times::stamp;
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    update: &UpdateWritten,
) -> Result<Changed, MetaError> {
    let mut record = namespace.inode(update.inode).await?;
    if record.node.attributes.kind != FileKind::Regular {
        return Err(FsError::Invalid.into());
    }
    if update.size_bytes_min > FILE_SIZE_MAX {
        return Err(FsError::FileTooLarge.into());
    }
    let writer = record.node.writer;
    let is_over = writer.raw() == 0 || writer != context.session;
    if is_over || update.data_version != record.node.data_version {
        // It came too late, or once more: what it tells of is over, and must not end, extend or date what came after.
        return Ok(Changed {
            before: record.node.attributes.wcc(),
            after: record.node,
        });
    }
    let old = record.clone();
    let attributes = &mut record.node.attributes;
    if update.modified.is_some() || update.size_bytes_min > attributes.size_bytes {
        note_written(attributes, update.modified, context.now);
    }
    attributes.size_bytes = attributes.size_bytes.max(update.size_bytes_min);
    attributes.used_bytes = update.used_bytes.unwrap_or(attributes.used_bytes);
    if update.end {
        record.node.writer = SessionId::new(0);
    }
    if record != old {
        namespace.put_inode(&record);
    }
    Ok(Changed {
        before: old.node.attributes.wcc(),
        after: record.node,
    })
}

/// Moves the times on. `written` is the gateway's time of its last write; without one, a size that grew is the
/// trace of a write by a gateway that died, at an unknown time.
///
/// A time that lies before the inode's last change may be of a write that a `touch` has already followed, so it only ever
/// moves `modified` on; one that lies after it is news, even if a user had set `modified` into the future.
///
/// The writer has shown these times in its replies already, and none of them may look like a new change when it is
/// told here: clients would drop what they cached.
fn note_written(attributes: &mut Attributes, written: Option<Timestamp>, now: Timestamp) {
    let written = written.unwrap_or_else(|| stamp(attributes, now));
    if written > attributes.changed {
        (attributes.modified, attributes.changed) = (written, written);
        return;
    }
    // Writes take both times along: a `modified` ahead of `changed` was set by a user. The writer's gateway told all writes
    // before it passed that on, so this one came after.
    let set_ahead = attributes.modified > attributes.changed;
    if set_ahead || written > attributes.modified {
        attributes.modified = written;
    }
}
