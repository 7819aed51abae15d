//! Names, units and help of this crate's metrics, and their handles.
//!
//! Handles are made once, when the service is opened, so that counting costs an atomic addition; the recorder
//! must be installed before.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use sluice_types::FsError;
use sluice_wire::meta::Operation;

/// Operations that ended, by operation.
pub const OPERATIONS_TOTAL: &str = "sluice_meta_operations_total";
/// Operations that were refused or failed, by operation and error.
pub const ERRORS_TOTAL: &str = "sluice_meta_errors_total";
/// How long operations took, flush included, by operation.
pub const OPERATION_SECONDS: &str = "sluice_meta_operation_seconds";
/// Operations that are running or waiting for their turn.
pub const OPERATIONS_IN_FLIGHT: &str = "sluice_meta_operations_in_flight";
/// Transactions made durable.
pub const COMMITS_TOTAL: &str = "sluice_meta_commits_total";
/// How many transactions a flush made durable together.
pub const FLUSH_COMMITS: &str = "sluice_meta_flush_commits";
/// How long a flush took.
pub const FLUSH_SECONDS: &str = "sluice_meta_flush_seconds";
/// Transactions that ran into another's change and were run again.
pub const CONFLICTS_TOTAL: &str = "sluice_meta_conflicts_total";
/// Inodes in use.
pub const INODES: &str = "sluice_meta_inodes";
/// Removed files whose storage is still to be freed.
pub const REMOVALS_QUEUED: &str = "sluice_meta_removals_queued";
/// The version of the cluster map; 0 before the cluster is formed.
pub const MAP_VERSION: &str = "sluice_meta_map_version";
/// Targets in the cluster map, by state.
pub const TARGETS: &str = "sluice_meta_targets";
/// Replies recorded, of calls that must not be done twice.
pub const REPLIES_RECORDED_TOTAL: &str = "sluice_meta_replies_recorded_total";
/// Calls that came again and got the recorded reply.
pub const REPLIES_REPLAYED_TOTAL: &str = "sluice_meta_replies_replayed_total";
/// Calls that came again while the first was running, and waited for its end.
pub const REPLIES_AWAITED_TOTAL: &str = "sluice_meta_replies_awaited_total";
/// Recorded replies that are kept.
pub const REPLIES_KEPT: &str = "sluice_meta_replies_kept";

/// Open sessions of gateways and others.
pub const SESSIONS: &str = "sluice_meta_sessions";
/// Read leases that are held.
pub const READ_LEASES: &str = "sluice_meta_read_leases";
/// Locks and shares of files that are held.
pub const LOCKS_HELD: &str = "sluice_meta_locks_held";
/// Who waits for a lock of a file, or was given one and is not told yet.
pub const LOCK_WAITERS: &str = "sluice_meta_lock_waiters";
/// Locks given to those who waited.
pub const LOCK_GRANTS_TOTAL: &str = "sluice_meta_lock_grants_total";
/// Locks given to those who waited and taken back, because they did not take them.
pub const LOCK_GRANTS_MISSED_TOTAL: &str = "sluice_meta_lock_grants_missed_total";
/// Locks that somebody else had, or that were too many.
pub const LOCK_DENIALS_TOTAL: &str = "sluice_meta_lock_denials_total";

/// The names of all metrics of this crate.
pub const NAMES: &[&str] = &[
    OPERATIONS_TOTAL,
    ERRORS_TOTAL,
    OPERATION_SECONDS,
    OPERATIONS_IN_FLIGHT,
    COMMITS_TOTAL,
    FLUSH_COMMITS,
    FLUSH_SECONDS,
    CONFLICTS_TOTAL,
    INODES,
    REMOVALS_QUEUED,
    MAP_VERSION,
    TARGETS,
    SESSIONS,
    READ_LEASES,
    REPLIES_RECORDED_TOTAL,
    REPLIES_REPLAYED_TOTAL,
    REPLIES_AWAITED_TOTAL,
    REPLIES_KEPT,
    LOCKS_HELD,
    LOCK_WAITERS,
    LOCK_GRANTS_TOTAL,
    LOCK_GRANTS_MISSED_TOTAL,
    LOCK_DENIALS_TOTAL,
];

/// Tells the recorder units and help of all metrics.
pub fn describe() {
    describe_counter!(OPERATIONS_TOTAL, "Metadata operations that ended");
    describe_counter!(
        ERRORS_TOTAL,
        "Metadata operations that were refused or failed"
    );
    describe_histogram!(
        OPERATION_SECONDS,
        Unit::Seconds,
        "Time of a metadata operation, flush included"
    );
    describe_gauge!(
        OPERATIONS_IN_FLIGHT,
        "Metadata operations that are running or waiting for their turn"
    );
    describe_counter!(COMMITS_TOTAL, "Metadata transactions made durable");
    describe_histogram!(
        FLUSH_COMMITS,
        Unit::Count,
        "Transactions that one flush made durable"
    );
    describe_histogram!(
        FLUSH_SECONDS,
        Unit::Seconds,
        "Time of one flush of the metadata store"
    );
    describe_counter!(
        CONFLICTS_TOTAL,
        "Metadata transactions that were run again because of another's change"
    );
    describe_gauge!(INODES, "Inodes in use");
    describe_gauge!(
        REMOVALS_QUEUED,
        "Removed files whose storage is still to be freed"
    );
    describe_gauge!(MAP_VERSION, "Version of the cluster map");
    describe_gauge!(TARGETS, "Storage targets in the cluster map, by state");
    describe_gauge!(SESSIONS, "Open sessions");
    describe_gauge!(READ_LEASES, "Read leases held by gateways");
    describe_counter!(
        REPLIES_RECORDED_TOTAL,
        "Replies recorded, of calls that must not be done twice"
    );
    describe_counter!(
        REPLIES_REPLAYED_TOTAL,
        "Calls that came again and got the recorded reply"
    );
    describe_counter!(
        REPLIES_AWAITED_TOTAL,
        "Calls that came again while the first was running"
    );
    describe_gauge!(REPLIES_KEPT, "Recorded replies that are kept");
    describe_gauge!(LOCKS_HELD, "Locks and shares of files that are held");
    describe_gauge!(
        LOCK_WAITERS,
        "Who waits for a lock of a file, or was given one and is not told yet"
    );
    describe_counter!(LOCK_GRANTS_TOTAL, "Locks given to those who waited");
    describe_counter!(
        LOCK_GRANTS_MISSED_TOTAL,
        "Locks given to those who waited and taken back, because they did not take them"
    );
    describe_counter!(
        LOCK_DENIALS_TOTAL,
        "Locks that somebody else had, or that were too many"
    );
}

/// The handles of what is measured of locks.
#[derive(Debug)]
pub(crate) struct LockMetrics {
    pub(crate) held: Gauge,
    pub(crate) waiters: Gauge,
    pub(crate) grants: Counter,
    pub(crate) grants_missed: Counter,
    pub(crate) denials: Counter,
}

impl LockMetrics {
    pub(crate) fn new() -> Self {
        Self {
            held: gauge!(LOCKS_HELD),
            waiters: gauge!(LOCK_WAITERS),
            grants: counter!(LOCK_GRANTS_TOTAL),
            grants_missed: counter!(LOCK_GRANTS_MISSED_TOTAL),
            denials: counter!(LOCK_DENIALS_TOTAL),
        }
    }
}

/// What an engine reports of a flush.
pub(crate) fn flush(commits: u64, elapsed: Duration) {
    counter!(COMMITS_TOTAL).increment(commits);
    histogram!(FLUSH_COMMITS).record(commits as f64);
    histogram!(FLUSH_SECONDS).record(elapsed.as_secs_f64());
}

/// The service's handles.
#[derive(Debug)]
pub(crate) struct ServiceMetrics {
    operations: Vec<OperationMetrics>,
    in_flight: Gauge,
    pub(crate) conflicts: Counter,
    pub(crate) inodes: Gauge,
    pub(crate) removals: Gauge,
    pub(crate) sessions: Gauge,
    pub(crate) read_leases: Gauge,
}

/// What is counted of replies.
#[derive(Debug)]
pub(crate) struct ReplyMetrics {
    pub(crate) recorded: Counter,
    pub(crate) replayed: Counter,
    pub(crate) awaited: Counter,
    pub(crate) kept: Gauge,
}

impl ReplyMetrics {
    pub(crate) fn new() -> Self {
        Self {
            recorded: counter!(REPLIES_RECORDED_TOTAL),
            replayed: counter!(REPLIES_REPLAYED_TOTAL),
            awaited: counter!(REPLIES_AWAITED_TOTAL),
            kept: gauge!(REPLIES_KEPT),
        }
    }
}

/// The handles of one operation.
#[derive(Debug)]
struct OperationMetrics {
    name: &'static str,
    total: Counter,
    seconds: Histogram,
    /// By the number of the [`FsError`]; made when the error first occurs, so that only those are exported.
    errors: [OnceLock<Counter>; ERROR_COUNT],
}

/// More than there are variants of [`FsError`]; a test holds it.
const ERROR_COUNT: usize = 32;

impl ServiceMetrics {
    pub(crate) fn new() -> Self {
        let operations = Operation::NAMES.iter().map(|name| OperationMetrics {
            name,
            total: counter!(OPERATIONS_TOTAL, "operation" => *name),
            seconds: histogram!(OPERATION_SECONDS, "operation" => *name),
            errors: Default::default(),
        });
        Self {
            operations: operations.collect(),
            in_flight: gauge!(OPERATIONS_IN_FLIGHT),
            conflicts: counter!(CONFLICTS_TOTAL),
            inodes: gauge!(INODES),
            removals: gauge!(REMOVALS_QUEUED),
            sessions: gauge!(SESSIONS),
            read_leases: gauge!(READ_LEASES),
        }
    }

    /// Counts an operation as running for as long as the guard lives, also if its caller goes away.
    pub(crate) fn in_flight(&self, operation: &Operation) -> Option<InFlight<'_>> {
        let is_work = !waits_by_design(operation);
        is_work.then(|| {
            self.in_flight.increment(1);
            InFlight(&self.in_flight)
        })
    }

    /// Counts an operation that ended.
    pub(crate) fn ended(&self, operation: &Operation, elapsed: Duration, error: Option<FsError>) {
        let name = operation.name();
        let Some(metrics) = self.operations.iter().find(|of| of.name == name) else {
            return;
        };
        metrics.total.increment(1);
        if !waits_by_design(operation) {
            metrics.seconds.record(elapsed.as_secs_f64());
        }
        if let Some(error) = error
            && let Some(slot) = metrics.errors.get(error as usize)
        {
            let counter = slot.get_or_init(
                || counter!(ERRORS_TOTAL, "operation" => name, "error" => format!("{error:?}")),
            );
            counter.increment(1);
        }
    }
}

/// Whether an operation takes its time when there is nothing to do: each gateway always has one such. Its time says nothing.
fn waits_by_design(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::AwaitLockGrants(_) | Operation::AwaitRecalls(_)
    )
}

/// An operation that is running.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a Gauge);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for name in NAMES {
            assert!(name.starts_with("sluice_meta_"), "{name}");
        }
        let counters = [
            OPERATIONS_TOTAL,
            ERRORS_TOTAL,
            COMMITS_TOTAL,
            CONFLICTS_TOTAL,
            REPLIES_RECORDED_TOTAL,
            REPLIES_REPLAYED_TOTAL,
            REPLIES_AWAITED_TOTAL,
        ];
        assert!(counters.iter().all(|name| name.ends_with("_total")));
    }

    #[test]
    fn every_error_has_a_slot() {
        assert!((FsError::Internal as usize) < ERROR_COUNT);
    }
}
