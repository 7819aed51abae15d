//! Names, units and help of everything the engine measures, and the handles, looked up once.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};
use sluice_proto_nfs::nfs3::{Procedure, nfsstat3, status_name};
use sluice_proto_nfs::rpc::Program;

/// NFSv3 calls, by `procedure`.
pub const CALLS: &str = "sluice_nfs_calls_total";
/// NFSv3 calls that failed, by `procedure` and `status`.
pub const ERRORS: &str = "sluice_nfs_errors_total";
/// Time from a call's last byte to its finished reply, by `procedure`.
pub const LATENCY: &str = "sluice_nfs_latency_seconds";
/// Bytes of data that READs returned.
pub const READ_BYTES: &str = "sluice_nfs_read_bytes_total";
/// Bytes of data that WRITEs took.
pub const WRITE_BYTES: &str = "sluice_nfs_write_bytes_total";
/// Calls in work.
pub const IN_FLIGHT: &str = "sluice_nfs_in_flight";
/// Bytes of large calls and replies in memory.
pub const IN_FLIGHT_BYTES: &str = "sluice_nfs_in_flight_bytes";
/// Open connections.
pub const CONNECTIONS: &str = "sluice_nfs_connections";
/// Connections accepted.
pub const ACCEPTED: &str = "sluice_nfs_connections_accepted_total";
/// Connections closed at once because there were too many.
pub const REFUSED: &str = "sluice_nfs_connections_refused_total";
/// Connections from load balancers closed because they did not say whose they are.
pub const PROXY_REFUSED: &str = "sluice_nfs_proxy_headers_refused_total";
/// Connections closed because the client stalled in the middle of a record or of a reply.
pub const STALLED: &str = "sluice_nfs_connections_stalled_total";
/// Records and datagrams that are no calls, or have bad headers or arguments.
pub const MALFORMED: &str = "sluice_nfs_malformed_total";
/// Calls of all programs, by `program`.
pub const PROGRAM_CALLS: &str = "sluice_nfs_program_calls_total";
/// Datagrams dropped because too many were in work.
pub const DATAGRAMS_DROPPED: &str = "sluice_nfs_datagrams_dropped_total";

/// Calls that came again while the first was in work, and were answered with its reply.
pub const DUPLICATES: &str = "sluice_nfs_duplicates_total";
/// Clients called because a lock that they waited for is theirs.
pub const LOCK_CALLBACKS: &str = "sluice_nfs_lock_callbacks_total";
/// Calls to clients about locks that did not reach them, or that they refused.
pub const LOCK_CALLBACKS_FAILED: &str = "sluice_nfs_lock_callbacks_failed_total";

/// Tells the metrics recorder what each metric means; to be called once, after the recorder is installed.
pub fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!(CALLS, Unit::Count, "NFSv3 calls");
    describe_counter!(ERRORS, Unit::Count, "NFSv3 calls that failed");
    describe_histogram!(LATENCY, Unit::Seconds, "Time from a call to its reply");
    describe_counter!(READ_BYTES, Unit::Bytes, "Data that READs returned");
    describe_counter!(WRITE_BYTES, Unit::Bytes, "Data that WRITEs took");
    describe_gauge!(IN_FLIGHT, Unit::Count, "Calls in work");
    describe_gauge!(
        IN_FLIGHT_BYTES,
        Unit::Bytes,
        "Large calls and replies in memory"
    );
    describe_gauge!(CONNECTIONS, Unit::Count, "Open connections");
    describe_counter!(ACCEPTED, Unit::Count, "Connections accepted");
    describe_counter!(REFUSED, Unit::Count, "Connections over the limit");
    describe_counter!(
        PROXY_REFUSED,
        Unit::Count,
        "Connections from load balancers without a good PROXY header"
    );
    describe_counter!(
        STALLED,
        Unit::Count,
        "Connections closed for a stalled client"
    );
    describe_counter!(MALFORMED, Unit::Count, "Records that are no valid calls");
    describe_counter!(PROGRAM_CALLS, Unit::Count, "Calls of all programs");
    describe_counter!(DATAGRAMS_DROPPED, Unit::Count, "Datagrams over the limit");
    describe_counter!(DUPLICATES, Unit::Count, "Calls sent again while in work");
    describe_counter!(
        LOCK_CALLBACKS,
        Unit::Count,
        "Clients called because a lock that they waited for is theirs"
    );
    describe_counter!(
        LOCK_CALLBACKS_FAILED,
        Unit::Count,
        "Calls to clients about locks that did not reach them, or that they refused"
    );
}

/// Statuses are told apart by their place in this list.
const STATUSES: [nfsstat3; 29] = [
    nfsstat3::NFS3_OK,
    nfsstat3::NFS3ERR_PERM,
    nfsstat3::NFS3ERR_NOENT,
    nfsstat3::NFS3ERR_IO,
    nfsstat3::NFS3ERR_NXIO,
    nfsstat3::NFS3ERR_ACCES,
    nfsstat3::NFS3ERR_EXIST,
    nfsstat3::NFS3ERR_XDEV,
    nfsstat3::NFS3ERR_NODEV,
    nfsstat3::NFS3ERR_NOTDIR,
    nfsstat3::NFS3ERR_ISDIR,
    nfsstat3::NFS3ERR_INVAL,
    nfsstat3::NFS3ERR_FBIG,
    nfsstat3::NFS3ERR_NOSPC,
    nfsstat3::NFS3ERR_ROFS,
    nfsstat3::NFS3ERR_MLINK,
    nfsstat3::NFS3ERR_NAMETOOLONG,
    nfsstat3::NFS3ERR_NOTEMPTY,
    nfsstat3::NFS3ERR_DQUOT,
    nfsstat3::NFS3ERR_STALE,
    nfsstat3::NFS3ERR_REMOTE,
    nfsstat3::NFS3ERR_BADHANDLE,
    nfsstat3::NFS3ERR_NOT_SYNC,
    nfsstat3::NFS3ERR_BAD_COOKIE,
    nfsstat3::NFS3ERR_NOTSUPP,
    nfsstat3::NFS3ERR_TOOSMALL,
    nfsstat3::NFS3ERR_SERVERFAULT,
    nfsstat3::NFS3ERR_BADTYPE,
    nfsstat3::NFS3ERR_JUKEBOX,
];

/// Handles of one procedure's metrics.
pub(crate) struct ProcedureMetrics {
    name: &'static str,
    calls: Counter,
    latency: Histogram,
    /// Made when they first happen, so that only errors that occur are exported.
    errors: [OnceLock<Counter>; STATUSES.len()],
}

impl ProcedureMetrics {
    fn new(procedure: Procedure) -> Self {
        let name = procedure.name();
        Self {
            name,
            calls: counter!(CALLS, "procedure" => name),
            latency: histogram!(LATENCY, "procedure" => name),
            errors: [const { OnceLock::new() }; STATUSES.len()],
        }
    }

    /// Counts a call that took `elapsed` and ended with `status`.
    pub(crate) fn finished(&self, status: nfsstat3, elapsed: Duration) {
        self.calls.increment(1);
        self.latency.record(elapsed.as_secs_f64());
        if matches!(status, nfsstat3::NFS3_OK) {
            return;
        }
        let place = STATUSES
            .iter()
            .position(|known| *known as u32 == status as u32);
        if let Some(error) = place.and_then(|place| self.errors.get(place)) {
            let make =
                || counter!(ERRORS, "procedure" => self.name, "status" => status_name(status));
            error.get_or_init(make).increment(1);
        }
    }
}

/// Handles of all metrics.
pub(crate) struct NfsMetrics {
    procedures: Vec<ProcedureMetrics>,
    programs: Vec<Counter>,
    pub(crate) read_bytes: Counter,
    pub(crate) write_bytes: Counter,
    pub(crate) in_flight: Gauge,
    pub(crate) in_flight_bytes: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) proxy_refused: Counter,
    pub(crate) stalled: Counter,
    pub(crate) malformed: Counter,
    pub(crate) datagrams_dropped: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) lock_callbacks: Counter,
    pub(crate) lock_callbacks_failed: Counter,
}

impl NfsMetrics {
    pub(crate) fn new() -> Self {
        let program = |program: &Program| counter!(PROGRAM_CALLS, "program" => program.name());
        Self {
            procedures: Procedure::ALL
                .iter()
                .copied()
                .map(ProcedureMetrics::new)
                .collect(),
            programs: Program::ALL.iter().map(program).collect(),
            read_bytes: counter!(READ_BYTES),
            write_bytes: counter!(WRITE_BYTES),
            in_flight: gauge!(IN_FLIGHT),
            in_flight_bytes: gauge!(IN_FLIGHT_BYTES),
            connections: gauge!(CONNECTIONS),
            accepted: counter!(ACCEPTED),
            refused: counter!(REFUSED),
            proxy_refused: counter!(PROXY_REFUSED),
            stalled: counter!(STALLED),
            malformed: counter!(MALFORMED),
            datagrams_dropped: counter!(DATAGRAMS_DROPPED),
            duplicates: counter!(DUPLICATES),
            lock_callbacks: counter!(LOCK_CALLBACKS),
            lock_callbacks_failed: counter!(LOCK_CALLBACKS_FAILED),
        }
    }

    /// The metrics of an NFSv3 procedure.
    pub(crate) fn procedure(&self, procedure: Procedure) -> &ProcedureMetrics {
        // Procedures are numbered from 0 without gaps, and `new` made one entry for each.
        &self.procedures[procedure.number() as usize]
    }

    /// Counts a call of a program.
    pub(crate) fn program_called(&self, program: Program) {
        let place = Program::ALL.iter().position(|known| *known == program);
        if let Some(counter) = place.and_then(|place| self.programs.get(place)) {
            counter.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_place() {
        let known = (0..=10_100).filter_map(sluice_proto_nfs::nfs3::status_from_number);
        assert_eq!(known.count(), STATUSES.len());
        for (place, status) in STATUSES.iter().enumerate() {
            let first = STATUSES
                .iter()
                .position(|other| *other as u32 == *status as u32);
            assert_eq!(first, Some(place));
        }
    }

    #[test]
    fn every_procedure_has_its_place() {
        let metrics = NfsMetrics::new();
        for procedure in Procedure::ALL {
            assert_eq!(metrics.procedure(*procedure).name, procedure.name());
        }
    }
}
