//! Sets the layout that new files and directories in a directory inherit.

use sluice_types::{FsError, Layout};
use sluice_wire::meta::{Changed, SetLayout};

use super::context::OperationContext;
use super::times::note_changed;
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    set: &SetLayout,
) -> Result<Changed, MetaError> {
    let mut record = namespace.directory(set.directory).await?;
    if !context.credentials.is_root() {
        return Err(FsError::NotPermitted.into());
    }
    let before = record.node.attributes.wcc();
    record.node.layout = Layout {
        placement_seed: record.node.layout.placement_seed,
        ..set.layout
    };
    note_changed(&mut record.node.attributes, context.now);
    namespace.put_inode(&record);
    Ok(Changed {
        before,
        after: record.node,
    })
}
