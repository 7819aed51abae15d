//! Names, units and help of everything the file service measures.

use metrics::{Counter, Gauge, Unit};

/// Files being written now.
pub const SESSIONS: &str = "sluice_vfs_write_sessions";
/// Write sessions begun.
pub const SESSIONS_BEGUN: &str = "sluice_vfs_write_sessions_total";
/// Reports of sizes and times to the metadata service.
pub const REPORTS: &str = "sluice_vfs_reports_total";
/// Background work on sessions that failed and will be tried again.
pub const SWEEP_ERRORS: &str = "sluice_vfs_sweep_errors_total";
/// Files whose writer was lost and whose size was asked from storage.
pub const RECOVERIES: &str = "sluice_vfs_recoveries_total";
/// Truncations carried out on storage.
pub const TRIMS: &str = "sluice_vfs_trims_total";
/// Bytes of ranges that were fetched ahead of sequential readers.
pub const READ_AHEAD_BYTES: &str = "sluice_vfs_read_ahead_bytes_total";
/// Bytes read, by `way`: `cache` or `direct` (files being written).
pub const READ_BYTES: &str = "sluice_vfs_read_bytes_total";
/// Bytes written.
pub const WRITTEN_BYTES: &str = "sluice_vfs_written_bytes_total";

/// Leases that the metadata service recalled, by `kind`: `read` or `write`.
pub const RECALLS: &str = "sluice_vfs_recalls_total";

/// Tells the metrics recorder what each metric means; to be called once, after the recorder is installed.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge};
    describe_gauge!(SESSIONS, Unit::Count, "Files being written now");
    describe_counter!(SESSIONS_BEGUN, Unit::Count, "Write sessions begun");
    describe_counter!(
        REPORTS,
        Unit::Count,
        "Reports of sizes and times of files being written"
    );
    describe_counter!(
        SWEEP_ERRORS,
        Unit::Count,
        "Failed background work on write sessions"
    );
    describe_counter!(
        RECOVERIES,
        Unit::Count,
        "Files of lost writers whose size storage told"
    );
    describe_counter!(TRIMS, Unit::Count, "Truncations carried out on storage");
    describe_counter!(
        READ_AHEAD_BYTES,
        Unit::Bytes,
        "Bytes fetched ahead of readers"
    );
    describe_counter!(
        READ_BYTES,
        Unit::Bytes,
        "Bytes read, through the cache or directly"
    );
    describe_counter!(WRITTEN_BYTES, Unit::Bytes, "Bytes written");
    describe_counter!(
        RECALLS,
        Unit::Count,
        "Leases that the metadata service recalled"
    );
}

/// Handles of all metrics.
pub(crate) struct VfsMetrics {
    pub(crate) sessions: Gauge,
    pub(crate) sessions_begun: Counter,
    pub(crate) reports: Counter,
    pub(crate) sweep_errors: Counter,
    pub(crate) recoveries: Counter,
    pub(crate) trims: Counter,
    pub(crate) read_ahead_bytes: Counter,
    pub(crate) read_bytes_cached: Counter,
    pub(crate) read_bytes_direct: Counter,
    pub(crate) written_bytes: Counter,
    pub(crate) read_recalls: Counter,
    pub(crate) write_recalls: Counter,
}

impl VfsMetrics {
    pub(crate) fn new() -> Self {
        use metrics::{counter, gauge};
        Self {
            sessions: gauge!(SESSIONS),
            sessions_begun: counter!(SESSIONS_BEGUN),
            reports: counter!(REPORTS),
            sweep_errors: counter!(SWEEP_ERRORS),
            recoveries: counter!(RECOVERIES),
            trims: counter!(TRIMS),
            read_ahead_bytes: counter!(READ_AHEAD_BYTES),
            read_bytes_cached: counter!(READ_BYTES, "way" => "cache"),
            read_bytes_direct: counter!(READ_BYTES, "way" => "direct"),
            written_bytes: counter!(WRITTEN_BYTES),
            read_recalls: counter!(RECALLS, "kind" => "read"),
            write_recalls: counter!(RECALLS, "kind" => "write"),
        }
    }
}
