//! Notes that a pending truncation is done on storage.

use sluice_types::{Inode, SessionId};
use sluice_wire::meta::FinishTrim;

use super::context::OperationContext;
use crate::error::MetaError;
use crate::namespace::Namespace;

/// Storage counts space in blocks of this size.
const STORAGE_BLOCK_BYTES: u64 = 4096;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    finish: &FinishTrim,
) -> Result<Inode, MetaError> {
    let mut record = namespace.inode(finish.inode).await?;
    let node = &record.node;
    let is_of_now = node.data_version == finish.data_version && node.writer == context.session;
    if is_of_now && node.pending_trim == Some(finish.trimmed_to) {
        record.node.pending_trim = None;
        if finish.end {
            record.node.writer = SessionId::new(0);
        }
        // What is left takes no more than its bytes; the next report from storage says it exactly.
        let most = finish
            .trimmed_to
            .checked_next_multiple_of(STORAGE_BLOCK_BYTES)
            .unwrap_or(u64::MAX);
        let attributes = &mut record.node.attributes;
        attributes.used_bytes = attributes.used_bytes.min(most);
        namespace.put_inode(&record);
    }
    Ok(record.node)
}
