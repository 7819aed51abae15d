//! A network of members only: every connection begins with both ends' proof of the cluster key
//! ([`sluice_wire::links`]). What lies above, asker and server alike, cannot tell it from the network below.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use sluice_wire::links::{Accept, Acceptor, LinkService, Links};

use crate::{Listener, Network, Stream};

/// A network of members only.
pub struct LinkedNetwork {
    network: Arc<dyn Network>,
    links: Links,
}

impl LinkedNetwork {
    /// The members on `network`, whose connections begin as `links` says.
    pub fn new(network: Arc<dyn Network>, links: Links) -> Self {
        Self { network, links }
    }
}

#[async_trait]
impl Network for LinkedNetwork {
    async fn connect(&self, address: &str) -> io::Result<Stream> {
        let mut stream = self.network.connect(address).await?;
        let linked = self.links.begin(&mut stream, LinkService::Storage, address);
        linked.await.map_err(io::Error::other)?;
        Ok(stream)
    }

    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        let listener = self.network.listen(address).await?;
        let links = self.links.clone();
        let acceptor = Acceptor::new(Streams(listener), links, LinkService::Storage);
        Ok(Box::new(LinkedListener(acceptor)))
    }
}

struct Streams(Box<dyn Listener>);

impl Accept for Streams {
    type Socket = Stream;

    async fn accept(&self) -> io::Result<(Stream, String)> {
        let stream = self.0.accept().await?;
        let peer = stream.peer.clone();
        Ok((stream, peer))
    }
}

struct LinkedListener(Acceptor<Streams>);

#[async_trait]
impl Listener for LinkedListener {
    async fn accept(&self) -> io::Result<Stream> {
        Ok(self.0.accept().await?.0)
    }

    fn address(&self) -> &str {
        self.0.listener().0.address()
    }
}
