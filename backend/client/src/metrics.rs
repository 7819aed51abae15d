//! The striping client's metrics: names, units and help, and where they are counted.

use std::time::Duration;

use metrics::Unit;
use sluice_types::{FsError, MapVersion};

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

pub(crate) fn request(operation: &'static str, took: Duration, error: Option<FsError>) {
    let result = if error.is_none() { "ok" } else { "error" };
    metrics::counter!(REQUESTS, "operation" => operation, "result" => result).increment(1);
    metrics::histogram!(LATENCY, "operation" => operation).record(took.as_secs_f64());
}

pub(crate) fn retry(operation: &'static str, reason: &'static str) {
    metrics::counter!(RETRIES, "operation" => operation, "reason" => reason).increment(1);
}

pub(crate) fn read(bytes: usize) {
    metrics::counter!(READ_BYTES).increment(bytes as u64);
}

pub(crate) fn written(bytes: usize) {
    metrics::counter!(WRITTEN_BYTES).increment(bytes as u64);
}

pub(crate) fn map_version(version: MapVersion) {
    metrics::gauge!(MAP_VERSION).set(version.raw() as f64);
}

pub(crate) fn renewal_failed() {
    metrics::counter!(RENEWAL_FAILURES).increment(1);
}

pub(crate) fn reclaimed(files: usize, failures: usize) {
    metrics::counter!(RECLAIMED).increment(files as u64);
    metrics::counter!(RECLAIM_FAILURES).increment(failures as u64);
}
