//! Inodes that were read from the metadata service.

use sluice_types::{Inode, InodeId};

use crate::Coherent;
use crate::metrics::LookupMetrics;

/// Inodes by number; see [`Coherent`] for how they stay true.
pub type AttributeCache = Coherent<InodeId, Inode>;

/// What an entry takes beside the inode: links, counters, allocator.
const OVERHEAD_BYTES: usize = 128;

impl AttributeCache {
    /// An empty cache of at most `budget_bytes`.
    pub fn with_budget(budget_bytes: u64) -> Self {
        let weight = size_of::<Inode>() + OVERHEAD_BYTES;
        Self::new(budget_bytes, LookupMetrics::attributes(), move |_, _| {
            weight
        })
    }
}
