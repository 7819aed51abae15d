//! Changes attributes (RFC 1813 3.3.2).

use sluice_types::{FsError, SetAttributes};
use sluice_wire::meta::{Changed, SetInode};

use super::attributes::{apply_changes, check_changes};
use super::context::OperationContext;
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    set: &SetInode,
) -> Result<Changed, MetaError> {
    let mut record = namespace.inode(set.inode).await?;
    let attributes = &record.node.attributes;
    let before = attributes.wcc();
    if set.guard.is_some_and(|guard| guard != attributes.changed) {
        return Err(FsError::GuardMismatch.into());
    }
    let data_version = record.node.data_version;
    if set
        .data_version
        .is_some_and(|expected| expected != data_version)
    {
        // It came late: others have written since, or cut.
        return Err(FsError::Busy.into());
    }
    check_changes(attributes, context.credentials, &set.changes)?;
    if set.changes != SetAttributes::default() {
        apply_changes(&mut record, context.credentials, &set.changes, context.now);
        if record.node.pending_trim.is_some() {
            // Nobody else touches the data until storage is cut.
            record.node.writer = context.session;
        }
        // From here on, the maker is known to have got its reply (RFC 1813 3.3.8).
        record.create_verifier = None;
        namespace.put_inode(&record);
    }
    Ok(Changed {
        before,
        after: record.node,
    })
}
