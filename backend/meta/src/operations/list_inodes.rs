//! Lists all inodes, for consistency checks.

use sluice_wire::meta::{InodeList, ListInodes};

use crate::error::MetaError;
use crate::namespace::Namespace;

/// At most so many in one reply, whatever the caller asks for.
const INODES_MAX: u32 = 4096;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    list: &ListInodes,
) -> Result<InodeList, MetaError> {
    let limit = list.limit.clamp(1, INODES_MAX) as usize;
    let records = namespace.inodes_after(list.after, limit).await?;
    Ok(InodeList {
        end: records.len() < limit,
        nodes: records.into_iter().map(|record| record.node).collect(),
    })
}
