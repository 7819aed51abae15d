//! Whether a removed file's storage is still to be freed.

use sluice_wire::meta::{FindRemoval, RemovalFound};

use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    find: &FindRemoval,
) -> Result<RemovalFound, MetaError> {
    let queued = namespace.is_removal_queued(find.inode).await?;
    Ok(RemovalFound { queued })
}
