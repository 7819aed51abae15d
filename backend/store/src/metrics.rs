//! Names, units and help of the store's metrics; all are labelled with the target.

use metrics::{
    Counter, Gauge, Histogram, Unit, describe_counter, describe_gauge, describe_histogram,
};

/// Reads served.
pub const READS: &str = "sluice_store_reads_total";
/// Bytes read by callers.
pub const READ_BYTES: &str = "sluice_store_read_bytes_total";
/// Time of a read.
pub const READ_SECONDS: &str = "sluice_store_read_seconds";
/// Writes served.
pub const WRITES: &str = "sluice_store_writes_total";
/// Bytes written by callers.
pub const WRITE_BYTES: &str = "sluice_store_write_bytes_total";
/// Time of a write.
pub const WRITE_SECONDS: &str = "sluice_store_write_seconds";
/// Commits served.
pub const COMMITS: &str = "sluice_store_commits_total";
/// Time of a commit.
pub const COMMIT_SECONDS: &str = "sluice_store_commit_seconds";
/// Operations in progress.
pub const QUEUE_DEPTH: &str = "sluice_store_queue_depth";
/// Bytes in memory that are not in slabs yet.
pub const DIRTY_BYTES: &str = "sluice_store_dirty_bytes";
/// Bytes written to slabs.
pub const SLAB_WRITE_BYTES: &str = "sluice_store_slab_write_bytes_total";
/// Bytes written to the log.
pub const LOG_WRITE_BYTES: &str = "sluice_store_log_write_bytes_total";
/// Size of all log segments.
pub const LOG_BYTES: &str = "sluice_store_log_bytes";
/// Records that shared a flush of the log.
pub const FLUSH_BATCH_RECORDS: &str = "sluice_store_flush_batch_records";
/// Log segments compacted.
pub const COMPACTIONS: &str = "sluice_store_compactions_total";
/// Space for data.
pub const CAPACITY_BYTES: &str = "sluice_store_capacity_bytes";
/// Space that is taken or promised.
pub const USED_BYTES: &str = "sluice_store_used_bytes";
/// Operations that failed.
pub const ERRORS: &str = "sluice_store_errors_total";
/// Extents whose data does not match their checksum.
pub const CHECKSUM_FAILURES: &str = "sluice_store_checksum_failures_total";
/// Whether the target is out of service.
pub const FAILED: &str = "sluice_store_failed";

/// Tells the recorder units and help of all metrics here.
pub fn describe() {
    describe_counter!(READS, Unit::Count, "Reads served");
    describe_counter!(READ_BYTES, Unit::Bytes, "Bytes read by callers");
    describe_histogram!(READ_SECONDS, Unit::Seconds, "Time of a read");
    describe_counter!(WRITES, Unit::Count, "Writes served");
    describe_counter!(WRITE_BYTES, Unit::Bytes, "Bytes written by callers");
    describe_histogram!(WRITE_SECONDS, Unit::Seconds, "Time of a write");
    describe_counter!(COMMITS, Unit::Count, "Commits served");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "Time of a commit");
    describe_gauge!(QUEUE_DEPTH, Unit::Count, "Operations in progress");
    describe_gauge!(
        DIRTY_BYTES,
        Unit::Bytes,
        "Bytes in memory that are not in slabs yet"
    );
    describe_counter!(SLAB_WRITE_BYTES, Unit::Bytes, "Bytes written to slabs");
    describe_counter!(LOG_WRITE_BYTES, Unit::Bytes, "Bytes written to the log");
    describe_gauge!(LOG_BYTES, Unit::Bytes, "Size of all log segments");
    describe_histogram!(
        FLUSH_BATCH_RECORDS,
        Unit::Count,
        "Records that shared a flush of the log"
    );
    describe_counter!(COMPACTIONS, Unit::Count, "Log segments compacted");
    describe_gauge!(CAPACITY_BYTES, Unit::Bytes, "Space for data");
    describe_gauge!(USED_BYTES, Unit::Bytes, "Space taken or promised");
    describe_counter!(ERRORS, Unit::Count, "Operations that failed");
    describe_counter!(
        CHECKSUM_FAILURES,
        Unit::Count,
        "Extents that do not match their checksum"
    );
    describe_gauge!(FAILED, Unit::Count, "1 if the target is out of service");
}

/// One target's metrics, looked up once.
#[derive(Debug)]
pub(crate) struct StoreMetrics {
    pub(crate) read: OperationMetrics,
    pub(crate) write: OperationMetrics,
    pub(crate) commit: OperationMetrics,
    queue_depth: Gauge,
    pub(crate) dirty_bytes: Gauge,
    pub(crate) slab_write_bytes: Counter,
    log_write_bytes: Counter,
    pub(crate) log_bytes: Gauge,
    flush_batch_records: Histogram,
    pub(crate) compactions: Counter,
    pub(crate) capacity_bytes: Gauge,
    pub(crate) used_bytes: Gauge,
    pub(crate) errors: Counter,
    pub(crate) checksum_failures: Counter,
    pub(crate) failed: Gauge,
}

/// Metrics of one operation.
#[derive(Debug)]
pub(crate) struct OperationMetrics {
    pub(crate) calls: Counter,
    pub(crate) bytes: Counter,
    pub(crate) seconds: Histogram,
}

impl StoreMetrics {
    pub(crate) fn new(label: &str) -> Self {
        let counter = |name: &'static str| metrics::counter!(name, "target" => label.to_owned());
        let gauge = |name: &'static str| metrics::gauge!(name, "target" => label.to_owned());
        let histogram =
            |name: &'static str| metrics::histogram!(name, "target" => label.to_owned());
        let operation = |calls, bytes: Option<&'static str>, seconds| OperationMetrics {
            calls: counter(calls),
            bytes: bytes.map_or_else(Counter::noop, counter),
            seconds: histogram(seconds),
        };
        Self {
            read: operation(READS, Some(READ_BYTES), READ_SECONDS),
            write: operation(WRITES, Some(WRITE_BYTES), WRITE_SECONDS),
            commit: operation(COMMITS, None, COMMIT_SECONDS),
            queue_depth: gauge(QUEUE_DEPTH),
            dirty_bytes: gauge(DIRTY_BYTES),
            slab_write_bytes: counter(SLAB_WRITE_BYTES),
            log_write_bytes: counter(LOG_WRITE_BYTES),
            log_bytes: gauge(LOG_BYTES),
            flush_batch_records: histogram(FLUSH_BATCH_RECORDS),
            compactions: counter(COMPACTIONS),
            capacity_bytes: gauge(CAPACITY_BYTES),
            used_bytes: gauge(USED_BYTES),
            errors: counter(ERRORS),
            checksum_failures: counter(CHECKSUM_FAILURES),
            failed: gauge(FAILED),
        }
    }

    /// Counts an operation in flight until it is dropped, also if its caller goes away.
    pub(crate) fn in_flight(&self) -> InFlight<'_> {
        self.queue_depth.increment(1.0);
        InFlight(&self.queue_depth)
    }

    pub(crate) fn log_frame(&self, bytes: usize, records: u32) {
        self.log_write_bytes.increment(bytes as u64);
        self.flush_batch_records.record(f64::from(records));
    }
}

/// An operation in flight.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
