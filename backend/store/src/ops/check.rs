//! Checking the store against itself: every block has exactly one owner.

use std::collections::BTreeSet;

use crate::Store;
use crate::allocator::Run;

/// What a check found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Chunks looked at.
    pub chunks: u64,
    /// Blocks marked as taken that nobody owns: lost space.
    pub leaked_blocks: u64,
    /// Blocks that are owned twice, or owned but marked as free: data in danger.
    pub conflicting_blocks: u64,
    /// Difference between promised blocks and those that memory needs.
    pub misreserved_blocks: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.leaked_blocks == 0 && self.conflicting_blocks == 0 && self.misreserved_blocks == 0
    }
}

impl Store {
    /// Compares index and allocator. Everything else waits meanwhile, for about a microsecond per chunk.
    pub fn check(&self) -> CheckReport {
        let shards = self.index.freeze();
        let mut report = CheckReport::default();
        let mut owned: Vec<Run> = Vec::new();
        let mut reserved = 0;
        for shard in &shards {
            for chunk in shard.chunks.values() {
                report.chunks += 1;
                let parents: BTreeSet<Run> = chunk.extents.iter().map(Run::of_parent).collect();
                owned.extend(parents);
                reserved += chunk
                    .overlay
                    .as_ref()
                    .map_or(0, |overlay| overlay.reserved_blocks);
            }
        }
        let (leaked, conflicting) = self.epochs.with_waiting(|waiting| {
            owned.extend_from_slice(waiting);
            self.allocator.audit(owned.into_iter())
        });
        report.leaked_blocks = leaked;
        report.conflicting_blocks = conflicting;
        report.misreserved_blocks = self.allocator.usage().reserved.abs_diff(reserved);
        report
    }
}
