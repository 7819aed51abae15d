//! Lists removed files, oldest first, whose storage is still to be freed.

use sluice_wire::meta::{ListRemovals, Removals};

use super::context::OperationContext;
use crate::error::MetaError;
use crate::namespace::Namespace;

/// At most so many in one reply, whatever the caller asks for.
const REMOVALS_MAX: u32 = 4096;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    list: &ListRemovals,
) -> Result<Removals, MetaError> {
    let limit = list.limit.min(REMOVALS_MAX) as usize;
    let queued = match list.after {
        Some(after) => namespace.removals_after(after, limit).await?,
        None => None,
    };
    let removals = match queued {
        Some(removals) => removals,
        None => namespace.removals(limit, context.removals_front).await?,
    };
    Ok(Removals { removals })
}
