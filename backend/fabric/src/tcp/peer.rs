//! A daemon as an asker sees it: a few connections, made when needed and made again when lost.
//!
//! After a connection could not be made, requests are refused at once until a time has passed that doubles with
//! each further failure, give or take a half: a daemon that is away costs its askers no connection
//! attempt per request, and its return is not met by all of them in one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sluice_types::{Clock, Rng};
use tokio::sync::Mutex;

use super::connection::Connection;
use super::options::TcpOptions;
use crate::metrics::{PeerMetrics, Side};
use crate::{BufferPool, FabricError, Network};

/// What all peers of a transport share.
pub(super) struct Surroundings {
    pub(super) network: Arc<dyn Network>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rng: Arc<dyn Rng>,
    pub(super) options: TcpOptions,
    pub(super) pool: Arc<BufferPool>,
}

pub(super) struct Peer {
    address: String,
    pub(super) metrics: Arc<PeerMetrics>,
    slots: Vec<Mutex<Slot>>,
    turn: AtomicUsize,
}

/// One connection, or why there is none.
#[derive(Default)]
struct Slot {
    connection: Option<Arc<Connection>>,
    failures: u32,
    /// Until when requests are refused at once, and what the system said.
    refused: Option<(Duration, String)>,
}

impl Peer {
    pub(super) fn new(address: &str, connections: usize) -> Self {
        Self {
            address: address.to_owned(),
            metrics: Arc::new(PeerMetrics::new(Side::Client, address)),
            slots: (0..connections.max(1)).map(|_| Mutex::default()).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    /// An open connection; requests take them in turn.
    pub(super) async fn connection(
        &self,
        surroundings: &Surroundings,
    ) -> Result<Arc<Connection>, FabricError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let mut slot = self.slots[turn].lock().await;
        if let Some(connection) = &slot.connection
            && connection.is_open()
        {
            return Ok(Arc::clone(connection));
        }
        slot.connection = None;
        let now = surroundings.clock.monotonic();
        if let Some((until, reason)) = &slot.refused
            && now < *until
        {
            return Err(self.unreachable(reason.clone()));
        }
        self.connect(&mut slot, surroundings).await
    }

    async fn connect(
        &self,
        slot: &mut Slot,
        surroundings: &Surroundings,
    ) -> Result<Arc<Connection>, FabricError> {
        let options = &surroundings.options;
        let connecting = surroundings.network.connect(&self.address);
        let connected = tokio::time::timeout(options.connect_deadline, connecting).await;
        let reason = match connected {
            Ok(Ok(stream)) => {
                let pool = Arc::clone(&surroundings.pool);
                let metrics = Arc::clone(&self.metrics);
                let connection = Connection::start(stream, &self.address, options, pool, metrics);
                let connection = Arc::new(connection);
                *slot = Slot {
                    connection: Some(Arc::clone(&connection)),
                    ..Slot::default()
                };
                return Ok(connection);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection within {:?}", options.connect_deadline),
        };
        let pause = backoff(options, slot.failures, surroundings.rng.next_u64());
        slot.failures = slot.failures.saturating_add(1);
        slot.refused = Some((surroundings.clock.monotonic() + pause, reason.clone()));
        Err(self.unreachable(reason))
    }

    fn unreachable(&self, reason: String) -> FabricError {
        FabricError::Unreachable {
            address: self.address.clone(),
            reason,
        }
    }
}

/// How long to refuse after so many failures before this one: half of it certain, half by chance.
fn backoff(options: &TcpOptions, failures: u32, chance: u64) -> Duration {
    let factor = 1_u32 << failures.min(16);
    let longest = options
        .backoff_min
        .saturating_mul(factor)
        .min(options.backoff_max);
    let half = longest / 2;
    half + half.mul_f64((chance >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let options = TcpOptions::default();
        assert_eq!(backoff(&options, 0, 0), options.backoff_min / 2);
        assert_eq!(backoff(&options, 2, 0), options.backoff_min * 2);
        assert_eq!(backoff(&options, u32::MAX, 0), options.backoff_max / 2);
        let longest = backoff(&options, u32::MAX, u64::MAX);
        assert!(longest > options.backoff_max / 2 && longest <= options.backoff_max);
    }
}
