//! Makes a symbolic link (RFC 1813 3.3.10). Its mode is always 0777: nothing reads it.

use sluice_types::{FileKind, FsError, SYMLINK_BYTES_MAX};
use sluice_wire::meta::{Made, MakeSymlink};

use super::context::OperationContext;
use super::new_inode::{Blank, make};
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    op: &MakeSymlink,
) -> Result<Made, MetaError> {
    if op.target.len() > SYMLINK_BYTES_MAX {
        return Err(FsError::NameTooLong.into());
    }
    if op.target.is_empty() || op.target.contains(&0) {
        return Err(FsError::Invalid.into());
    }
    let mut blank = Blank::new(FileKind::Symlink);
    blank.size_bytes = op.target.len() as u64;
    let made = make(
        namespace,
        context,
        op.directory,
        &op.name,
        blank,
        &op.attributes,
    )
    .await?;
    namespace.put_symlink_target(made.node.id, op.target.clone());
    Ok(made)
}
