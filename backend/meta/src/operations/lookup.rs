//! Finds a name in a directory (RFC 1813 3.3.3).

use sluice_types::FsError;
use sluice_wire::meta::{Looked, Lookup, LookupName};

use super::context::OperationContext;
use super::permission::check_search;
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    lookup: &Lookup,
) -> Result<Looked, MetaError> {
    let directory = namespace.directory(lookup.directory).await?;
    check_search(&directory, context.credentials)?;
    let id = match &lookup.entry {
        LookupName::Current => directory.node.id,
        LookupName::Parent => directory.node.parent,
        LookupName::Name(name) => {
            let found = namespace.find_entry(directory.node.id, name).await?;
            found.ok_or(FsError::NotFound)?.inode
        }
    };
    let node = if id == directory.node.id {
        directory.node.clone()
    } else {
        namespace.entry_inode(id).await?.node
    };
    Ok(Looked {
        node,
        directory: directory.node.attributes,
    })
}
