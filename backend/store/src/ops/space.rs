//! How much space there is.

use crate::format::bytes_of;
use crate::{Store, StoreError};

/// Space of a target, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceStatus {
    /// All that data can take.
    pub capacity_bytes: u64,
    /// Taken by data, or promised to data in memory.
    pub used_bytes: u64,
    /// What can still be written.
    pub free_bytes: u64,
}

impl Store {
    /// Space of the target.
    ///
    /// # Errors
    /// [`StoreError::Device`] if the file system does not say what is free.
    pub async fn statfs(&self) -> Result<SpaceStatus, StoreError> {
        let growable = self.slabs.growable_slabs(self.log_headroom_bytes()).await?;
        let usage = self.allocator.usage();
        let growth = growable * u64::from(self.allocator.slab_blocks());
        let capacity = usage.total + growth;
        let available = usage.free.saturating_sub(usage.reserved + usage.held_back);
        // Space for data is of no use without room in the log.
        let free = if self.log.refuses_writes() {
            0
        } else {
            available + growth
        };
        Ok(SpaceStatus {
            capacity_bytes: bytes_of(capacity),
            used_bytes: bytes_of(usage.total - usage.free + usage.reserved),
            free_bytes: bytes_of(free),
        })
    }
}
