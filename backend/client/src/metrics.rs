//! The striping client's metrics: names, units and help, and where they are counted.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit};
use sluice_types::MapVersion;
use sluice_wire::storage::StorageOperation;

/// Requests to storage, tries of one request counted once, by `operation` and `result` (`ok` or `error`).
pub const REQUESTS: &str = "sluice_client_requests_total";
/// How long requests to storage took, tries and waits included, by `operation`.
pub const LATENCY: &str = "sluice_client_request_seconds";
/// Further tries of requests to storage, by `operation` and `reason`.
pub const RETRIES: &str = "sluice_client_retries_total";
/// File data read from storage, holes included.
pub const READ_BYTES: &str = "sluice_client_read_bytes_total";
/// File data written to storage.
pub const WRITTEN_BYTES: &str = "sluice_client_written_bytes_total";
/// The version of the cluster map in force.
pub const MAP_VERSION: &str = "sluice_client_map_version";
/// Renewals of the session that failed.
pub const RENEWAL_FAILURES: &str = "sluice_client_renewal_failures_total";
/// Removed files whose storage was freed.
pub const RECLAIMED: &str = "sluice_client_reclaimed_files_total";
/// Removed files whose storage could not be freed yet, tries counted each.
pub const RECLAIM_FAILURES: &str = "sluice_client_reclaim_failures_total";

/// Tells the recorder what the metrics mean. Call once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, Unit::Count, "Requests to storage");
    metrics::describe_histogram!(LATENCY, Unit::Seconds, "How long requests to storage took");
    metrics::describe_counter!(RETRIES, Unit::Count, "Further tries of requests to storage");
    metrics::describe_counter!(READ_BYTES, Unit::Bytes, "File data read, holes included");
    metrics::describe_counter!(WRITTEN_BYTES, Unit::Bytes, "File data written");
    metrics::describe_gauge!(
        MAP_VERSION,
        Unit::Count,
        "Version of the cluster map in force"
    );
    metrics::describe_counter!(
        RENEWAL_FAILURES,
        Unit::Count,
        "Session renewals that failed"
    );
    metrics::describe_counter!(
        RECLAIMED,
        Unit::Count,
        "Removed files whose storage was freed"
    );
    metrics::describe_counter!(
        RECLAIM_FAILURES,
        Unit::Count,
        "Removed files whose storage could not be freed yet"
    );
}

/// Handles of all metrics but retries, which are rare.
#[derive(Debug)]
pub(crate) struct ClientMetrics {
    /// By [`StorageOperation::index`].
    operations: Vec<OperationMetrics>,
    pub(crate) read_bytes: Counter,
    pub(crate) written_bytes: Counter,
    pub(crate) renewal_failures: Counter,
    map_version: Gauge,
    reclaimed: Counter,
    reclaim_failures: Counter,
}

#[derive(Debug)]
struct OperationMetrics {
    answered: Counter,
    failed: Counter,
    latency: Histogram,
}

impl ClientMetrics {
    pub(crate) fn new() -> Self {
        use metrics::{counter, gauge, histogram};
        let of_operation = |operation: &&'static str| OperationMetrics {
            answered: counter!(REQUESTS, "operation" => *operation, "result" => "ok"),
            failed: counter!(REQUESTS, "operation" => *operation, "result" => "error"),
            latency: histogram!(LATENCY, "operation" => *operation),
        };
        Self {
            operations: StorageOperation::NAMES.iter().map(of_operation).collect(),
            read_bytes: counter!(READ_BYTES),
            written_bytes: counter!(WRITTEN_BYTES),
            renewal_failures: counter!(RENEWAL_FAILURES),
            map_version: gauge!(MAP_VERSION),
            reclaimed: counter!(RECLAIMED),
            reclaim_failures: counter!(RECLAIM_FAILURES),
        }
    }

    /// Counts a request that ended; `operation` is its [`StorageOperation::index`].
    pub(crate) fn request(&self, operation: usize, took: Duration, answered: bool) {
        if let Some(operation) = self.operations.get(operation) {
            let count = match answered {
                true => &operation.answered,
                false => &operation.failed,
            };
            count.increment(1);
            operation.latency.record(took.as_secs_f64());
        }
    }

    pub(crate) fn map_version(&self, version: MapVersion) {
        self.map_version.set(version.raw() as f64);
    }

    pub(crate) fn reclaimed(&self, files: usize, failures: usize) {
        self.reclaimed.increment(files as u64);
        self.reclaim_failures.increment(failures as u64);
    }
}

pub(crate) fn retry(operation: &'static str, reason: &'static str) {
    metrics::counter!(RETRIES, "operation" => operation, "reason" => reason).increment(1);
}
