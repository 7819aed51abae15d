//! The serving side: accepts connections and ends them in good order.

use std::sync::Arc;
use std::time::Duration;

use sluice_types::Clock;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::budget::Budget;
use super::options::TcpServerOptions;
use super::session;
use crate::metrics::{PeerMetrics, Side};
use crate::{BufferPool, FabricError, Handler, Listener, Network};

/// How long to wait after the system had no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections of a server share.
pub(super) struct Surroundings {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: TcpServerOptions,
    pub(super) bytes: Budget,
    pub(super) pool: Arc<BufferPool>,
    pub(super) metrics: Arc<PeerMetrics>,
}

/// Serves a handler over TCP, until it is shut down or dropped. Dropped, it ends everything at once, requests under
/// way included.
pub struct TcpServer {
    address: String,
    shutdown: Option<oneshot::Sender<Duration>>,
    accepting: JoinHandle<()>,
}

impl TcpServer {
    /// Serves `handler` at `address` (`host:port`; port 0 for any).
    ///
    /// # Errors
    /// [`FabricError::Unreachable`] if the address cannot be had.
    pub async fn start(
        network: &dyn Network,
        address: &str,
        handler: Arc<dyn Handler>,
        options: TcpServerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, FabricError> {
        let listener = network.listen(address).await;
        let listener = listener.map_err(|error| FabricError::Unreachable {
            address: address.to_owned(),
            reason: error.to_string(),
        })?;
        let surroundings = Arc::new(Surroundings {
            handler,
            clock,
            bytes: Budget::new(options.bytes_in_flight_max),
            pool: BufferPool::new(options.buffers_idle_bytes_max),
            metrics: Arc::new(PeerMetrics::new(Side::Server, "")),
            options,
        });
        let (shutdown, asked) = oneshot::channel();
        let address = listener.address().to_owned();
        Ok(Self {
            address,
            shutdown: Some(shutdown),
            accepting: tokio::spawn(accept(listener, surroundings, asked)),
        })
    }

    /// Where it serves, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Takes no further connections and requests, waits at most for `drain` until the requests under way are
    /// answered, and closes the connections.
    pub async fn shutdown(mut self, drain: Duration) {
        if let Some(shutdown) = self.shutdown.take() {
            // If nobody listens, the server has ended already.
            let _ = shutdown.send(drain);
        }
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: Box<dyn Listener>,
    surroundings: Arc<Surroundings>,
    mut asked: oneshot::Receiver<Duration>,
) {
    let (stop, stopped) = watch::channel(false);
    let mut sessions = JoinSet::new();
    let drain = loop {
        tokio::select! {
            drain = &mut asked => break drain.unwrap_or_default(),
            Some(_) = sessions.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(_) if sessions.len() >= surroundings.options.connections_max => {
                    surroundings.metrics.failed("too_many_connections");
                }
                Ok(stream) => {
                    let surroundings = Arc::clone(&surroundings);
                    sessions.spawn(session::serve(stream, surroundings, stopped.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a data plane connection could not be accepted");
                    surroundings.metrics.failed("accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    };
    drop(listener);
    // Sessions that ended do not listen any more.
    let _ = stop.send(true);
    let drained = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, drained).await.is_err() {
        tracing::warn!(
            sessions = sessions.len(),
            "requests still under way were cut off"
        );
    }
}
