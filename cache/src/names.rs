//! Names that were looked up, found or not.

use sluice_types::{FileName, InodeId};

use crate::Coherent;
use crate::metrics::LookupMetrics;

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameEntry {
    /// An inode.
    Found(InodeId),
    /// There is no such name.
    Absent,
}

/// Names by directory; see [`Coherent`] for how they stay true.
pub type NameCache = Coherent<(InodeId, FileName), NameEntry>;

/// What an entry takes beside the name's bytes: key, links, counters, allocator.
const OVERHEAD_BYTES: usize = 192;

impl NameCache {
    /// An empty cache of at most `budget_bytes`.
    pub fn with_budget(budget_bytes: u64) -> Self {
        Self::new(budget_bytes, LookupMetrics::names(), |(_, name), _| {
            name.as_bytes().len() + OVERHEAD_BYTES
        })
    }
}
