//! Makes connections to the metadata service for tonic: TCP, then the proofs of the cluster key ([`crate::links`]).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::codegen::Service;
use tonic::transport::Uri;

use crate::links::{LinkService, Links};

/// Makes connections; each call is one.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    links: Links,
    deadline: Duration,
}

impl Connector {
    /// Connections that begin as `links` says and are made within `deadline`.
    pub(super) fn new(links: Links, deadline: Duration) -> Self {
        Self { links, deadline }
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let address = uri.authority().map_or("", |authority| authority.as_str());
        let connecting = async {
            let mut socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            let linked = self
                .links
                .begin(&mut socket, LinkService::Metadata, address);
            linked.await.map_err(io::Error::other)?;
            Ok(TokioIo::new(socket))
        };
        tokio::time::timeout(self.deadline, connecting).await?
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
