//! The asker's side.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use sluice_types::{Clock, Rng};

use super::budget::Budget;
use super::options::TcpOptions;
use super::peer::{Peer, Surroundings};
use crate::{BufferPool, FabricError, Network, Reply, Request, Transport};

/// Carries requests over TCP.
pub struct TcpTransport {
    /// By address. Grows with the addresses that the cluster map ever had while this process runs.
    peers: DashMap<String, Arc<Peer>>,
    surroundings: Surroundings,
    bytes: Budget,
}

impl TcpTransport {
    /// A transport without connections; they are made when needed.
    pub fn new(
        network: Arc<dyn Network>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
        options: TcpOptions,
    ) -> Self {
        let pool = BufferPool::new(options.buffers_idle_bytes_max);
        Self {
            peers: DashMap::new(),
            bytes: Budget::new(options.bytes_in_flight_max),
            surroundings: Surroundings {
                network,
                clock,
                rng,
                options,
                pool,
            },
        }
    }

    fn peer(&self, address: &str) -> Arc<Peer> {
        if let Some(peer) = self.peers.get(address) {
            return Arc::clone(&peer);
        }
        let connections = self.surroundings.options.connections_per_peer;
        let peer = self.peers.entry(address.to_owned());
        Arc::clone(&peer.or_insert_with(|| Arc::new(Peer::new(address, connections))))
    }

    async fn carry(
        &self,
        peer: &Peer,
        address: &str,
        request: Request,
        deadline: Duration,
    ) -> Result<Reply, FabricError> {
        request.check_size(self.surroundings.options.payload_bytes_max)?;
        let late = |sent| FabricError::DeadlinePassed {
            address: address.to_owned(),
            waited_ms: deadline.as_millis() as u64,
            sent,
        };
        let clock = &self.surroundings.clock;
        let started = clock.monotonic();
        let left = || deadline.saturating_sub(clock.monotonic().saturating_sub(started));
        let bytes = request.payload_bytes_max();
        let sending = async {
            let connection = peer.connection(&self.surroundings).await?;
            let place = connection.place(bytes).await?;
            let share = self.bytes.take(bytes).await;
            let pending = connection.send(request, place, left()).await?;
            // The connection must live as long as the request.
            Ok::<_, FabricError>((pending, connection, share))
        };
        let sent = tokio::time::timeout(deadline, sending).await;
        let (mut pending, _connection, _share) = sent.map_err(|_| late(false))??;
        match tokio::time::timeout(left(), pending.reply()).await {
            Ok(result) => result,
            Err(_) => Err(late(pending.give_up())),
        }
    }
}

#[async_trait]
impl Transport for TcpTransport {
    async fn call(
        &self,
        address: &str,
        request: Request,
        deadline: Duration,
    ) -> Result<Reply, FabricError> {
        let peer = self.peer(address);
        let operation = request.header.operation.index();
        let started = self.surroundings.clock.monotonic();
        let _in_flight = peer.metrics.begin();
        let result = self.carry(&peer, address, request, deadline).await;
        match &result {
            Ok(_) => {
                let took = self.surroundings.clock.monotonic().saturating_sub(started);
                peer.metrics.answered(operation, took);
            }
            Err(error) => peer.metrics.failed(error.kind()),
        }
        result
    }
}
