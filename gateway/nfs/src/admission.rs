//! How much may be in work at once: what [`Limits`] allows, as semaphores whose permits travel with a call until its
//! reply is sent.
//!
//! Order: bytes of the connection, bytes of the process, calls of the connection, calls of the process. A call that
//! holds permits to be in work never waits for bytes, so that no ring of waiting calls can close.

use std::sync::Arc;

use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;
use crate::metrics::NfsMetrics;

/// The process's limits.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    in_flight: Gauge,
    in_flight_bytes: Gauge,
}

impl Admission {
    pub(crate) fn new(limits: &Limits, metrics: &NfsMetrics) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(limits.calls_max.max(1))),
            bytes: Arc::new(Semaphore::new(bytes_max(
                limits.bytes_in_flight_max,
                limits,
            ))),
            in_flight: metrics.in_flight.clone(),
            in_flight_bytes: metrics.in_flight_bytes.clone(),
        }
    }

    /// The limits of one connection, and the process's.
    pub(crate) fn of_connection(&self, limits: &Limits) -> ConnectionAdmission {
        ConnectionAdmission {
            process: self.clone(),
            calls: Arc::new(Semaphore::new(limits.calls_per_connection_max.max(1))),
            bytes: Arc::new(Semaphore::new(bytes_max(
                limits.bytes_per_connection_max,
                limits,
            ))),
        }
    }
}

/// At least one record and one transfer, or nothing could ever be served.
fn bytes_max(configured: usize, limits: &Limits) -> usize {
    let smallest = limits
        .record
        .record_length_max
        .max(crate::limits::TRANSFER_LENGTH_MAX as usize);
    configured.max(smallest).min(Semaphore::MAX_PERMITS)
}

/// The limits that a connection's calls are under.
#[derive(Debug)]
pub(crate) struct ConnectionAdmission {
    process: Admission,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// Bytes that are accounted for until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    gauge: Gauge,
    length: usize,
    _connection: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.gauge.decrement(self.length as f64);
    }
}

/// A call that may be in work until this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    gauge: Gauge,
    _charge: Option<Charge>,
    _connection: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.gauge.decrement(1.0);
    }
}

impl ConnectionAdmission {
    /// Waits until `length` bytes may be in memory. `None` when the semaphores are closed, which they never are.
    pub(crate) async fn charge(&self, length: usize) -> Option<Charge> {
        let permits = u32::try_from(length).ok()?;
        let connection = Arc::clone(&self.bytes)
            .acquire_many_owned(permits)
            .await
            .ok()?;
        let bytes = Arc::clone(&self.process.bytes);
        let process = bytes.acquire_many_owned(permits).await.ok()?;
        self.process.in_flight_bytes.increment(length as f64);
        Some(Charge {
            gauge: self.process.in_flight_bytes.clone(),
            length,
            _connection: connection,
            _process: process,
        })
    }

    /// Waits until a call may be in work, whose bytes are accounted for already.
    pub(crate) async fn admit(&self, charge: Option<Charge>) -> Option<Admitted> {
        let connection = Arc::clone(&self.calls).acquire_owned().await.ok()?;
        let process = Arc::clone(&self.process.calls).acquire_owned().await.ok()?;
        self.process.in_flight.increment(1.0);
        Some(Admitted {
            gauge: self.process.in_flight.clone(),
            _charge: charge,
            _connection: connection,
            _process: process,
        })
    }
}
