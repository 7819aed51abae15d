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
    /// Compares index and allocator, as they are at one moment: every other operation on the target waits meanwhile, about a
    /// microsecond per chunk, so ten seconds with ten million. They wait in the runtime's threads, so other targets of
    /// the process are held up likewise: it is for quiet hours. To be called where blocking is allowed. Takes a bit per block
    /// of the target: 32 MiB per TiB.
    pub fn check(&self) -> CheckReport {
        let shards = self.index.freeze();
        let mut owned = self.allocator.nothing_owned();
        let (mut chunks, mut reserved) = (0, 0);
        let mut parents = BTreeSet::new();
        for chunk in shards.iter().flat_map(|shard| shard.chunks.values()) {
            chunks += 1;
            // A chunk may own several parts of one run.
            parents.clear();
            parents.extend(chunk.extents.iter().map(Run::of_parent));
            parents.iter().for_each(|&run| owned.add(run));
            let overlay = chunk.overlay.as_ref();
            reserved += overlay.map_or(0, |overlay| overlay.reserved_blocks);
        }
        let audit = self.epochs.with_waiting(|waiting| {
            waiting.iter().for_each(|&run| owned.add(run));
            self.allocator.audit(owned)
        });
        CheckReport {
            chunks,
            leaked_blocks: audit.leaked_blocks,
            conflicting_blocks: audit.conflicting_blocks,
            misreserved_blocks: audit.reserved_blocks.abs_diff(reserved),
        }
    }
}
