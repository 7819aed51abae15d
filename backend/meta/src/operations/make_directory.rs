//! Makes a directory (RFC 1813 3.3.9).

use sluice_types::FileKind;
use sluice_wire::meta::{Made, MakeDirectory};

use super::context::OperationContext;
use super::new_inode::{Blank, make};
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    op: &MakeDirectory,
) -> Result<Made, MetaError> {
    let blank = Blank::new(FileKind::Directory);
    make(
        namespace,
        context,
        op.directory,
        &op.name,
        blank,
        &op.attributes,
    )
    .await
}
