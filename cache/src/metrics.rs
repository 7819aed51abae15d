//! Names, units and help of everything the caches measure.

use metrics::{Counter, Gauge, Unit};

/// Blocks found, by `tier`: `memory` or `nvme`.
pub const HITS: &str = "sluice_cache_hits_total";
/// Blocks found nowhere.
pub const MISSES: &str = "sluice_cache_misses_total";
/// Blocks that another reader was fetching already.
pub const JOINED: &str = "sluice_cache_joined_total";
/// Bytes of blocks found, by `tier`.
pub const HIT_BYTES: &str = "sluice_cache_hit_bytes_total";
/// Bytes fetched from storage.
pub const MISS_BYTES: &str = "sluice_cache_miss_bytes_total";
/// Bytes put into the cache.
pub const INSERTED_BYTES: &str = "sluice_cache_inserted_bytes_total";
/// Blocks evicted from memory.
pub const EVICTIONS: &str = "sluice_cache_evictions_total";
/// Reads from NVMe that failed.
pub const NVME_ERRORS: &str = "sluice_cache_nvme_errors_total";
/// Memory that blocks take.
pub const MEMORY_BYTES: &str = "sluice_cache_memory_bytes";
/// Lookups of inodes and names, by `cache`: `attributes` or `names`, and `found`: `true` or `false`.
pub const LOOKUPS: &str = "sluice_cache_lookups_total";

/// Tells the metrics recorder what each metric means; to be called once, after the recorder is installed.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge};
    describe_counter!(HITS, Unit::Count, "Blocks found in the cache, by tier");
    describe_counter!(MISSES, Unit::Count, "Blocks found in no tier of the cache");
    describe_counter!(JOINED, Unit::Count, "Blocks another reader was fetching");
    describe_counter!(HIT_BYTES, Unit::Bytes, "Bytes of blocks found, by tier");
    describe_counter!(MISS_BYTES, Unit::Bytes, "Bytes fetched from storage");
    describe_counter!(INSERTED_BYTES, Unit::Bytes, "Bytes put into the cache");
    describe_counter!(EVICTIONS, Unit::Count, "Blocks evicted from memory");
    describe_counter!(NVME_ERRORS, Unit::Count, "Failed reads of the NVMe tier");
    describe_gauge!(MEMORY_BYTES, Unit::Bytes, "Memory that cached blocks take");
    describe_counter!(LOOKUPS, Unit::Count, "Lookups of inodes and names");
}

/// Handles of the block cache's metrics.
pub(crate) struct BlockMetrics {
    memory_hits: Counter,
    memory_hit_bytes: Counter,
    nvme_hits: Counter,
    nvme_hit_bytes: Counter,
    nvme_errors: Counter,
    misses: Counter,
    miss_bytes: Counter,
    joined: Counter,
    inserted_bytes: Counter,
    memory_bytes: Gauge,
}

impl BlockMetrics {
    pub(crate) fn new() -> Self {
        use metrics::{counter, gauge};
        Self {
            memory_hits: counter!(HITS, "tier" => "memory"),
            memory_hit_bytes: counter!(HIT_BYTES, "tier" => "memory"),
            nvme_hits: counter!(HITS, "tier" => "nvme"),
            nvme_hit_bytes: counter!(HIT_BYTES, "tier" => "nvme"),
            nvme_errors: counter!(NVME_ERRORS),
            misses: counter!(MISSES),
            miss_bytes: counter!(MISS_BYTES),
            joined: counter!(JOINED),
            inserted_bytes: counter!(INSERTED_BYTES),
            memory_bytes: gauge!(MEMORY_BYTES),
        }
    }

    pub(crate) fn evictions() -> Counter {
        metrics::counter!(EVICTIONS)
    }

    pub(crate) fn memory_hit(&self, bytes: usize) {
        self.memory_hits.increment(1);
        self.memory_hit_bytes.increment(bytes as u64);
    }

    pub(crate) fn nvme_hit(&self, bytes: usize) {
        self.nvme_hits.increment(1);
        self.nvme_hit_bytes.increment(bytes as u64);
    }

    pub(crate) fn nvme_error(&self) {
        self.nvme_errors.increment(1);
    }

    pub(crate) fn missed(&self, blocks: usize, bytes: usize) {
        self.misses.increment(blocks as u64);
        self.miss_bytes.increment(bytes as u64);
    }

    pub(crate) fn joined(&self) {
        self.joined.increment(1);
    }

    pub(crate) fn inserted(&self, bytes: usize) {
        self.inserted_bytes.increment(bytes as u64);
    }

    pub(crate) fn memory_used(&self, bytes: u64) {
        self.memory_bytes.set(bytes as f64);
    }
}

/// Handles of a lookup cache's metrics.
pub(crate) struct LookupMetrics {
    found: Counter,
    missed: Counter,
}

impl LookupMetrics {
    pub(crate) fn attributes() -> Self {
        Self::of("attributes")
    }

    pub(crate) fn names() -> Self {
        Self::of("names")
    }

    fn of(cache: &'static str) -> Self {
        use metrics::counter;
        Self {
            found: counter!(LOOKUPS, "cache" => cache, "found" => "true"),
            missed: counter!(LOOKUPS, "cache" => cache, "found" => "false"),
        }
    }

    pub(crate) fn looked_up(&self, found: bool) {
        if found {
            self.found.increment(1);
        } else {
            self.missed.increment(1);
        }
    }
}
