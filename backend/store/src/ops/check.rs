//! Checking the store against itself: every block has exactly one owner.

use crate::Store;
use crate::allocator::Run;

/// In place of a chunk's number: runs that wait for readers.
const NO_CHUNK: u64 = 0;

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
    /// Compares index and allocator. Everything else waits while both are copied (well under a microsecond per
    /// chunk), not while the copies are compared; still, call it where blocking is allowed.
    pub fn check(&self) -> CheckReport {
        let (chunks, mut owned, reserved, audit) = {
            let shards = self.index.freeze();
            let (mut chunks, mut owned, mut reserved) = (0, Vec::new(), 0);
            for chunk in shards.iter().flat_map(|shard| shard.chunks.values()) {
                chunks += 1;
                owned.extend(
                    chunk
                        .extents
                        .iter()
                        .map(|extent| (chunks, Run::of_parent(extent))),
                );
                reserved += chunk
                    .overlay
                    .as_ref()
                    .map_or(0, |overlay| overlay.reserved_blocks);
            }
            let audit = self.epochs.with_waiting(|waiting| {
                owned.extend(waiting.iter().map(|&run| (NO_CHUNK, run)));
                self.allocator.audit()
            });
            (chunks, owned, reserved, audit)
        };
        // A chunk may own several parts of one run.
        owned.sort_unstable();
        owned.dedup_by(|later, earlier| later == earlier && later.0 != NO_CHUNK);
        let (leaked_blocks, conflicting_blocks) =
            audit.compare(owned.into_iter().map(|(_, run)| run));
        CheckReport {
            chunks,
            leaked_blocks,
            conflicting_blocks,
            misreserved_blocks: audit.reserved().abs_diff(reserved),
        }
    }
}
