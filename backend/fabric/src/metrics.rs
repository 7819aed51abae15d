//! The fabric's metrics: names, units and help, and the handles through which they are counted.
//!
//! Labels: `side` is `client` or `server`; `operation` one of [`StorageOperation::NAMES`]; `peer` the address of
//! the daemon asked, empty in the same process and on the server's side (askers come and go).

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Unit};
use sluice_wire::storage::StorageOperation;

/// Requests, by side, operation and peer.
pub const REQUESTS: &str = "sluice_fabric_requests_total";
/// Requests without a reply, and connections that were given up, by side, kind of error and peer.
pub const ERRORS: &str = "sluice_fabric_errors_total";
/// Payload bytes that went out, by side and peer.
pub const SENT_BYTES: &str = "sluice_fabric_sent_bytes_total";
/// Payload bytes that came in, by side and peer.
pub const RECEIVED_BYTES: &str = "sluice_fabric_received_bytes_total";
/// Requests under way, by side and peer.
pub const IN_FLIGHT: &str = "sluice_fabric_requests_in_flight";
/// How long requests took, by side, operation and peer.
pub const LATENCY: &str = "sluice_fabric_request_seconds";
/// Connections that are open, by side and peer.
pub const CONNECTIONS: &str = "sluice_fabric_connections";

/// Tells the recorder what the metrics mean. Call once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, Unit::Count, "Data plane requests");
    metrics::describe_counter!(
        ERRORS,
        Unit::Count,
        "Data plane requests without a reply, and connections given up"
    );
    metrics::describe_counter!(SENT_BYTES, Unit::Bytes, "Data plane payload sent");
    metrics::describe_counter!(RECEIVED_BYTES, Unit::Bytes, "Data plane payload received");
    metrics::describe_gauge!(IN_FLIGHT, Unit::Count, "Data plane requests under way");
    metrics::describe_histogram!(LATENCY, Unit::Seconds, "How long data plane requests took");
    metrics::describe_gauge!(CONNECTIONS, Unit::Count, "Data plane connections open");
}

/// Which end of a request counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Handles for one peer, looked up once.
pub(crate) struct PeerMetrics {
    side: Side,
    peer: String,
    operations: Vec<OperationMetrics>,
    in_flight: Gauge,
    sent_bytes: Counter,
    received_bytes: Counter,
    pub(crate) connections: Gauge,
}

struct OperationMetrics {
    requests: Counter,
    latency: Histogram,
}

impl PeerMetrics {
    pub(crate) fn new(side: Side, peer: &str) -> Self {
        let label = side.label();
        let of_operation = |operation: &&'static str| {
            let labels = [
                ("side", label.to_owned()),
                ("operation", (*operation).to_owned()),
                ("peer", peer.to_owned()),
            ];
            OperationMetrics {
                requests: metrics::counter!(REQUESTS, &labels),
                latency: metrics::histogram!(LATENCY, &labels),
            }
        };
        let labels = [("side", label.to_owned()), ("peer", peer.to_owned())];
        Self {
            side,
            peer: peer.to_owned(),
            operations: StorageOperation::NAMES.iter().map(of_operation).collect(),
            in_flight: metrics::gauge!(IN_FLIGHT, &labels),
            sent_bytes: metrics::counter!(SENT_BYTES, &labels),
            received_bytes: metrics::counter!(RECEIVED_BYTES, &labels),
            connections: metrics::gauge!(CONNECTIONS, &labels),
        }
    }

    /// Counts a request as under way until the guard is dropped.
    pub(crate) fn begin(&self) -> InFlight {
        self.in_flight.increment(1);
        InFlight(self.in_flight.clone())
    }

    /// Counts a request that ended with a reply.
    pub(crate) fn answered(&self, operation: usize, took: Duration) {
        if let Some(operation) = self.operations.get(operation) {
            operation.requests.increment(1);
            operation.latency.record(took.as_secs_f64());
        }
    }

    /// Counts a request that ended without a reply, or a connection that was given up.
    pub(crate) fn failed(&self, kind: &'static str) {
        let labels = [
            ("side", self.side.label().to_owned()),
            ("kind", kind.to_owned()),
            ("peer", self.peer.clone()),
        ];
        metrics::counter!(ERRORS, &labels).increment(1);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent_bytes.increment(bytes as u64);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received_bytes.increment(bytes as u64);
    }
}

/// A request under way.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
