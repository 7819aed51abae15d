//! One client's TCP connection: a reader, a writer, and a task for each call between them.
//!
//! The reader stops reading when a limit is reached ([`crate::admission`]); TCP then makes the client wait. The
//! queue of finished replies has room for every call that may be in work, so that a finished call never waits
//! for a slow client; its permits do.

mod read;
mod records;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sluice_types::SessionId;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Limits;
use crate::admission::{Admission, Admitted};
use crate::call::Endpoint;
use crate::client_key::ClientKey;
use crate::engine::Engine;
use crate::places::Place;
use crate::proxies::{Proxies, ProxyFault, client_behind};
use crate::reply::Reply;
use records::Ended;

/// How long a drained connection is kept open for the client to close it.
const LINGER: Duration = Duration::from_millis(250);

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) engine: Arc<Engine>,
    pub(crate) limits: Arc<Limits>,
    /// The load balancers before this gateway.
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) admission: Admission,
    /// Calls in work and connections, for shutdown to wait for.
    pub(crate) tasks: TaskTracker,
    /// No more calls are taken; those in work are answered.
    pub(crate) draining: CancellationToken,
    /// Connections end at once. Replaced when all connections are to be dropped, but not those to come.
    pub(crate) closing: CancellationToken,
    /// The gateway's session when the connection came; nothing is done or answered on it once that has ended.
    pub(crate) session: Option<SessionId>,
}

/// A reply to send, and the permits that its call holds until then.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) reply: Reply,
    pub(crate) admitted: Admitted,
}

impl Connections {
    /// Serves a connection that a load balancer passes on, as its client's.
    pub(crate) async fn serve_proxied(
        self,
        mut stream: TcpStream,
        proxy: SocketAddr,
        place: &mut Place,
        endpoint: Endpoint,
    ) {
        let client = tokio::select! {
            () = self.closing.cancelled() => return,
            () = self.draining.cancelled() => return,
            client = client_behind(proxy, &mut stream) => client,
        };
        let engine = &self.engine;
        let peer = match client {
            Ok(peer) => peer,
            // It only looked whether somebody listens.
            Err(ProxyFault::Closed(error)) => {
                tracing::debug!(%proxy, %error, "no PROXY header");
                return;
            }
            Err(fault) => {
                engine.metrics.proxy_refused.increment(1);
                self.proxies.tell(proxy, &fault, &*engine.clock);
                return;
            }
        };
        let client = ClientKey::of(peer.ip(), &engine.exports);
        if !place.pass_to(client) {
            engine.metrics.refused.increment(1);
            tracing::debug!(%peer, %proxy, ?client, "too many connections of this client");
            return;
        }
        self.serve(stream, peer, client, endpoint).await;
    }

    /// Serves a connection until it ends.
    pub(crate) async fn serve(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        client: ClientKey,
        endpoint: Endpoint,
    ) {
        let metrics = &self.engine.metrics;
        metrics.connections.increment(1.0);
        let closed = self.closing.child_token();
        let server = stream.local_addr().ok().map(|address| address.ip());
        let (from_client, to_client) = stream.into_split();
        let (replies, queue) = mpsc::channel(self.limits.calls_per_connection_max.max(1));
        let writer = write::Writer::new(to_client, queue, self.limits.stall_timeout);
        let writing = self
            .tasks
            .spawn(writer.run(closed.clone(), metrics.stalled.clone()));
        let admission = self.admission.of_connection(&self.limits, client);
        let reader = read::Reader {
            shared: &self,
            stream: from_client,
            peer,
            server,
            endpoint,
            admission,
            replies,
        };
        let (from_client, ended) = reader.run(&closed).await;
        tracing::debug!(%peer, %ended, "connection closed");
        if let Ended::Malformed(error) = &ended {
            let clock = &*self.engine.clock;
            self.proxies.tell_if_header(peer, error, clock);
        }
        if ended.is_abrupt() {
            closed.cancel();
        }
        // The writer ends when the last call in work has handed in its reply.
        let _ = writing.await;
        if matches!(ended, Ended::Stopped) && !closed.is_cancelled() {
            let _ = timeout(LINGER, discard(from_client)).await;
        }
        metrics.connections.decrement(1.0);
    }
}

/// Takes and forgets what comes until the client closes its side. To close a socket with calls in it that were not read
/// resets the connection, and the client would lose replies that are still on their way.
async fn discard(from_client: OwnedReadHalf) {
    while from_client.readable().await.is_ok() {
        match from_client.try_read(&mut [0; 1024]) {
            Ok(1..) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}
