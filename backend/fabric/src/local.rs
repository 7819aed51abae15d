//! Requests within one process: a function call, the payload shared.
//!
//! A request runs in a task of its own, as it does behind a socket: a caller that gives up does not end it half
//! way. Bound: [`LocalOptions::requests_in_flight_max`] requests at once; more wait.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use sluice_types::{ChunkSize, Clock};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::metrics::{PeerMetrics, Side};
use crate::{FabricError, Handler, Reply, Request, Transport};

/// Bounds of requests within one process.
#[derive(Clone, Copy, Debug)]
pub struct LocalOptions {
    /// Requests at once, to all handlers together; more wait.
    pub requests_in_flight_max: usize,
    /// The largest payload; larger requests are refused, as they are by sockets.
    pub payload_bytes_max: u32,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            requests_in_flight_max: 4096,
            payload_bytes_max: ChunkSize::MAX_BYTES,
        }
    }
}

/// Carries requests to handlers in the same process, each known by an address (usually the empty one).
pub struct LocalTransport {
    handlers: DashMap<String, Arc<dyn Handler>>,
    places: Arc<Semaphore>,
    options: LocalOptions,
    clock: Arc<dyn Clock>,
    metrics: PeerMetrics,
}

impl LocalTransport {
    /// A transport without handlers.
    pub fn new(options: LocalOptions, clock: Arc<dyn Clock>) -> Self {
        Self {
            handlers: DashMap::new(),
            places: Arc::new(Semaphore::new(options.requests_in_flight_max)),
            options,
            clock,
            metrics: PeerMetrics::new(Side::Client, ""),
        }
    }

    /// Serves requests to `address` by `handler` from now on.
    pub fn register(&self, address: &str, handler: Arc<dyn Handler>) {
        self.handlers.insert(address.to_owned(), handler);
    }

    /// Serves no more requests to `address`; those under way go on.
    pub fn unregister(&self, address: &str) {
        self.handlers.remove(address);
    }

    fn handler(&self, address: &str) -> Result<Arc<dyn Handler>, FabricError> {
        let handler = self.handlers.get(address).map(|entry| Arc::clone(&entry));
        handler.ok_or_else(|| FabricError::Unreachable {
            address: address.to_owned(),
            reason: "nobody serves it in this process".to_owned(),
        })
    }

    async fn carry(
        &self,
        address: &str,
        request: Request,
        deadline: Duration,
    ) -> Result<Reply, FabricError> {
        let late = |sent| FabricError::DeadlinePassed {
            address: address.to_owned(),
            waited_ms: deadline.as_millis() as u64,
            sent,
        };
        request.check_size(self.options.payload_bytes_max)?;
        let handler = self.handler(address)?;
        let started = self.clock.monotonic();
        let place = Arc::clone(&self.places).acquire_owned();
        let place = tokio::time::timeout(deadline, place).await;
        let place = place.map_err(|_| late(false))?;
        let place = place.map_err(|_| FabricError::ShuttingDown)?;
        let left = deadline.saturating_sub(self.clock.monotonic().saturating_sub(started));
        let given_up = CancellationToken::new();
        // When this future ends or is dropped.
        let _gives_up = given_up.clone().drop_guard();
        let task = tokio::spawn(async move {
            let reply = handler.handle(request, given_up).await;
            drop(place);
            reply
        });
        let ended = tokio::time::timeout(left, task)
            .await
            .map_err(|_| late(true))?;
        ended.map_err(|error| FabricError::Closed {
            address: address.to_owned(),
            reason: error.to_string(),
        })
    }
}

#[async_trait]
impl Transport for LocalTransport {
    async fn call(
        &self,
        address: &str,
        request: Request,
        deadline: Duration,
    ) -> Result<Reply, FabricError> {
        let operation = request.header.operation.index();
        let sent_bytes = request.payload.len();
        let started = self.clock.monotonic();
        let _in_flight = self.metrics.begin();
        let result = self.carry(address, request, deadline).await;
        match &result {
            Ok(reply) => {
                self.metrics.sent(sent_bytes);
                self.metrics.received(reply.payload.len());
                let took = self.clock.monotonic().saturating_sub(started);
                self.metrics.answered(operation, took);
            }
            Err(error) => self.metrics.failed(error.kind()),
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use sluice_types::SystemClock;

    use super::*;
    use crate::conformance::{Fabric, conformance};

    struct Local(Arc<LocalTransport>);

    #[async_trait]
    impl Fabric for Local {
        async fn start(handler: Arc<dyn Handler>, in_flight_max: usize) -> Self {
            let options = LocalOptions {
                requests_in_flight_max: in_flight_max,
                ..LocalOptions::default()
            };
            let transport = LocalTransport::new(options, Arc::new(SystemClock::new()));
            transport.register("", handler);
            Self(Arc::new(transport))
        }

        fn transport(&self) -> Arc<dyn Transport> {
            Arc::clone(&self.0) as _
        }

        fn address(&self) -> String {
            String::new()
        }

        async fn stop(&mut self) {
            self.0.unregister("");
        }

        async fn restart(&mut self, handler: Arc<dyn Handler>) {
            self.0.register("", handler);
        }
    }

    conformance!(Local);
}
