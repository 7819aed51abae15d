//! Says what the caller may do (RFC 1813 3.3.4), by the function that the operations themselves ask.

use sluice_types::granted_access;
use sluice_wire::meta::{AccessChecked, CheckAccess};

use super::context::OperationContext;
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    check: &CheckAccess,
) -> Result<AccessChecked, MetaError> {
    let node = namespace.inode(check.inode).await?.node;
    Ok(AccessChecked {
        granted: granted_access(&node.attributes, context.credentials),
        node,
    })
}
