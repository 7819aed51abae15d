//! Notes that a pending truncation is done on storage.

use sluice_types::{Inode, SessionId};
use sluice_wire::meta::FinishTrim;

use super::attributes::bound_used;
use super::context::OperationContext;
use crate::error::MetaError;
use crate::namespace::Namespace;

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
        bound_used(&mut record.node.attributes, finish.trimmed_to);
        namespace.put_inode(&record);
    }
    Ok(record.node)
}
