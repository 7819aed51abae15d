//! How much may be in work at once: what [`Limits`] allows, as semaphores whose permits travel with a call until its
//! reply is sent.
//!
//! Order: bytes of the connection, of the client and of the process, then calls of the same three. A call that
//! holds permits to be in work never waits for bytes, so that no ring of waiting calls can close.
//!
//! A client's share is over all its connections: one that takes no replies, or begins records and does not go on with
//! them, keeps what it has until it is disconnected, but leaves most to the others.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use metrics::Gauge;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;
use crate::client_key::ClientKey;
use crate::metrics::NfsMetrics;

/// Of what the process may have in work, one client may have this part.
const CLIENT_SHARE: usize = 4;

/// The process's limits.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    clients: Clients,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    in_flight: Gauge,
    in_flight_bytes: Gauge,
}

impl Admission {
    pub(crate) fn new(limits: &Limits, metrics: &NfsMetrics) -> Self {
        Self {
            clients: Clients::default(),
            calls: semaphore(limits.calls_max),
            bytes: semaphore(bytes_max(limits.bytes_in_flight_max, limits)),
            in_flight: metrics.in_flight.clone(),
            in_flight_bytes: metrics.in_flight_bytes.clone(),
        }
    }

    /// The limits of one connection, its client's and the process's.
    pub(crate) fn of_connection(&self, limits: &Limits, client: ClientKey) -> ConnectionAdmission {
        ConnectionAdmission {
            process: self.clone(),
            client: self.client(limits, client),
            calls: semaphore(limits.calls_per_connection_max),
            bytes: semaphore(bytes_max(limits.bytes_per_connection_max, limits)),
        }
    }

    fn client(&self, limits: &Limits, key: ClientKey) -> Arc<Client> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(&key).and_then(Weak::upgrade) {
            return client;
        }
        let client = Arc::new(Client {
            clients: Arc::clone(&self.clients),
            key,
            calls: semaphore(limits.calls_max / CLIENT_SHARE),
            bytes: semaphore(bytes_max(limits.bytes_in_flight_max / CLIENT_SHARE, limits)),
        });
        clients.insert(key, Arc::downgrade(&client));
        client
    }
}

/// Clients that have connections, or calls in work.
type Clients = Arc<Mutex<HashMap<ClientKey, Weak<Client>>>>;

/// The limits of a client.
#[derive(Debug)]
struct Client {
    clients: Clients,
    key: ClientKey,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut clients = self.clients.lock();
        // It may have come back meanwhile, and have another entry.
        if clients
            .get(&self.key)
            .is_some_and(|client| client.strong_count() == 0)
        {
            clients.remove(&self.key);
        }
    }
}

fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)))
}

/// At least one record and one transfer, or nothing could ever be served.
fn bytes_max(configured: usize, limits: &Limits) -> usize {
    let smallest = limits
        .record
        .record_length_max
        .max(crate::limits::TRANSFER_LENGTH_MAX as usize);
    configured.max(smallest)
}

/// The limits that a connection's calls are under.
#[derive(Debug)]
pub(crate) struct ConnectionAdmission {
    process: Admission,
    client: Arc<Client>,
    calls: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// Permits of the connection, its client and the process; the client is remembered as long as it holds any.
#[derive(Debug)]
struct Permits {
    _connection: OwnedSemaphorePermit,
    _client: (OwnedSemaphorePermit, Arc<Client>),
    _process: OwnedSemaphorePermit,
}

/// Bytes that are accounted for until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    gauge: Gauge,
    length: usize,
    _permits: Permits,
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
    _permits: Permits,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.gauge.decrement(1.0);
    }
}

impl ConnectionAdmission {
    /// Waits until `length` bytes may be in memory. `None` when the semaphores are closed, which they never are.
    pub(crate) async fn charge(&self, length: usize) -> Option<Charge> {
        let count = u32::try_from(length).ok()?;
        let stages = [&self.bytes, &self.client.bytes, &self.process.bytes];
        let permits = self.acquire(stages, count).await?;
        self.process.in_flight_bytes.increment(length as f64);
        Some(Charge {
            gauge: self.process.in_flight_bytes.clone(),
            length,
            _permits: permits,
        })
    }

    /// Waits until a call may be in work, whose bytes are accounted for already.
    pub(crate) async fn admit(&self, charge: Option<Charge>) -> Option<Admitted> {
        let stages = [&self.calls, &self.client.calls, &self.process.calls];
        let permits = self.acquire(stages, 1).await?;
        self.process.in_flight.increment(1.0);
        Some(Admitted {
            gauge: self.process.in_flight.clone(),
            _charge: charge,
            _permits: permits,
        })
    }

    async fn acquire(&self, stages: [&Arc<Semaphore>; 3], count: u32) -> Option<Permits> {
        let [connection, client, process] = stages.map(Arc::clone);
        Some(Permits {
            _connection: connection.acquire_many_owned(count).await.ok()?,
            _client: (
                client.acquire_many_owned(count).await.ok()?,
                Arc::clone(&self.client),
            ),
            _process: process.acquire_many_owned(count).await.ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const NOT_NOW: Duration = Duration::from_millis(20);

    fn client(last: u8) -> ClientKey {
        ClientKey::Known([10, 0, 0, last].into())
    }

    #[tokio::test]
    async fn a_client_with_many_connections_leaves_room_for_others() {
        let limits = Limits {
            calls_max: 8,
            ..Limits::default()
        };
        let admission = Admission::new(&limits, &NfsMetrics::new());
        let of = |last| admission.of_connection(&limits, client(last));
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(of(1).admit(None).await);
        }
        assert!(timeout(NOT_NOW, of(1).admit(None)).await.is_err());
        assert!(timeout(NOT_NOW, of(2).admit(None)).await.is_ok());
        held.pop();
        assert!(timeout(NOT_NOW, of(1).admit(None)).await.is_ok());
    }

    #[tokio::test]
    async fn a_client_is_forgotten_with_its_last_call() {
        let limits = Limits::default();
        let admission = Admission::new(&limits, &NfsMetrics::new());
        let connection = admission.of_connection(&limits, client(1));
        let admitted = connection.admit(connection.charge(100).await).await;
        drop(connection);
        assert_eq!(admission.clients.lock().len(), 1);
        drop(admitted);
        assert!(admission.clients.lock().is_empty());
    }
}
