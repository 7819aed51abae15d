//! Takes removed files off the queue once their storage is freed.

use sluice_wire::meta::{Done, FinishRemovals};

use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    finish: &FinishRemovals,
) -> Result<Done, MetaError> {
    for inode in &finish.inodes {
        namespace.finish_removal(*inode).await?;
    }
    Ok(Done)
}
