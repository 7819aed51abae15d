//! What the owner of a store decides.

use sluice_types::TargetUuid;

use crate::StoreError;
use crate::format::{BLOCK_BYTES, SEGMENT_BYTES_MIN};

/// Whether opening may make a new store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatPolicy {
    /// An empty directory becomes a new store.
    IfEmpty,
    /// The directory must hold the store of this target: what a daemon wants whose disk
    /// may be missing, so that an empty mount point is not taken for a new disk.
    Expect(TargetUuid),
    /// The directory must hold a store: what is wanted where one was made before.
    Never,
}

/// Settings of one store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Names the target in metrics and logs.
    pub label: String,
    /// Whether an empty directory becomes a new store.
    pub format: FormatPolicy,
    /// Space for slabs, in bytes; none: what the file system has, less the reserve.
    pub capacity_bytes: Option<u64>,
    /// How many targets share the file system, so that each counts its part of the free space.
    pub sharing_targets: u32,
    /// Free space to leave on the file system: for log segments and for others.
    pub reserve_bytes: u64,
    /// Size of a slab file; fixed when the store is made.
    pub slab_bytes: u64,
    /// Size of a log segment file.
    pub log_segment_bytes: u64,
    /// Bytes in memory that are not in slabs yet: beyond it, writers wait.
    pub dirty_bytes_max: usize,
    /// Bytes in memory from which the background writes to slabs.
    pub dirty_bytes_background: usize,
    /// The largest synchronous write (and small commit) that goes through the log.
    pub journal_bytes_max: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            label: "0".to_owned(),
            format: FormatPolicy::IfEmpty,
            capacity_bytes: None,
            sharing_targets: 1,
            reserve_bytes: 512 << 20,
            slab_bytes: 256 << 20,
            log_segment_bytes: 32 << 20,
            dirty_bytes_max: 256 << 20,
            dirty_bytes_background: 32 << 20,
            journal_bytes_max: 64 << 10,
        }
    }
}

impl StoreConfig {
    pub(crate) fn validate(&self) -> Result<(), StoreError> {
        let block = BLOCK_BYTES as u64;
        if !self.slab_bytes.is_multiple_of(block)
            || self.slab_bytes < 16 * block
            || self.slab_bytes / block > u64::from(u32::MAX)
        {
            return Err(StoreError::Config(format!(
                "slab_bytes is {}; expected a multiple of {block} from {}",
                self.slab_bytes,
                16 * block
            )));
        }
        if !self.log_segment_bytes.is_multiple_of(block)
            || !(SEGMENT_BYTES_MIN..=1 << 30).contains(&self.log_segment_bytes)
        {
            return Err(StoreError::Config(format!(
                "log_segment_bytes is {}; expected a multiple of {block} from {SEGMENT_BYTES_MIN} to 1 GiB",
                self.log_segment_bytes
            )));
        }
        if self.sharing_targets == 0 {
            return Err(StoreError::Config("sharing_targets is 0".to_owned()));
        }
        if u64::from(self.journal_bytes_max) * 2 > self.log_segment_bytes {
            return Err(StoreError::Config(format!(
                "journal_bytes_max is {}; expected at most half a log segment",
                self.journal_bytes_max
            )));
        }
        Ok(())
    }
}
