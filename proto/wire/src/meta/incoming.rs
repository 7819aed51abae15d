//! The metadata service's connections for tonic: those that proved the cluster key ([`crate::links`]), one after the other.

use std::io;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tonic::transport::server::TcpIncoming;

use crate::links::{Accept, Acceptor, LinkService, Links};

/// How long to wait after the system had no socket to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

struct Sockets(Mutex<TcpIncoming>);

impl Accept for Sockets {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, String)> {
        let Some(accepted) = self.0.lock().await.next().await else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let socket = accepted?;
        let peer = socket.peer_addr()?.to_string();
        Ok((socket, peer))
    }
}

/// Connections to `listener` that began as `links` says, for ever. `keepalive` is the sockets'.
pub(super) fn incoming(
    listener: TcpListener,
    links: Links,
    keepalive: Duration,
) -> impl Stream<Item = io::Result<TcpStream>> {
    let sockets = TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(keepalive));
    let sockets = Sockets(Mutex::new(sockets));
    let acceptor = Acceptor::new(sockets, links, LinkService::Metadata);
    futures::stream::unfold(acceptor, async |acceptor| {
        let socket = next(&acceptor).await;
        Some((Ok(socket), acceptor))
    })
}

/// The next connection. A failure to accept one is no end of the service.
async fn next(acceptor: &Acceptor<Sockets>) -> TcpStream {
    loop {
        match acceptor.accept().await {
            Ok((socket, _)) => return socket,
            Err(error) => {
                tracing::warn!(%error, "a connection to the metadata service could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
