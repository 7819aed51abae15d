//! The TCP proxies and load balancers before this gateway, and how they say whose connection they pass on: with the
//! PROXY protocol. Whoever connects from one of their addresses has to begin with such a header; from any other address it is
//! no call and ends the connection, so that nobody else says who they are.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use parking_lot::Mutex;
use sluice_proto_nfs::XdrError;
use sluice_proto_nfs::proxy::{
    FIXED_BYTES, HEADER_BYTES_MAX, ProxyError, ProxyHead, ProxyHeader, Source,
};
use sluice_types::Clock;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// How long a proxy may take to send its header: it sends it before anything else, and at once.
const HEADER_DEADLINE: Duration = Duration::from_secs(5);
/// How often bad headers are told of in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// What the first four bytes of a header are if they are read as a record's marker.
const HEADER_AS_MARKER: usize = 0x0d0a_0d0a;

/// The proxies before this gateway.
#[derive(Debug)]
pub(crate) struct Proxies {
    networks: Vec<IpNet>,
    told_at: Mutex<Option<Duration>>,
}

/// Why a proxy's connection is closed before a call was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyFault {
    /// It did not say whose connection it is.
    #[error(transparent)]
    Header(#[from] ProxyError),
    /// It took too long to say it.
    #[error("it did not send a PROXY protocol header within {HEADER_DEADLINE:?}")]
    Late,
    /// It was closed before.
    #[error("closed before the end of the PROXY protocol header: {0}")]
    Closed(#[from] io::Error),
}

impl Proxies {
    pub(crate) const fn new(networks: Vec<IpNet>) -> Self {
        Self {
            networks,
            told_at: Mutex::new(None),
        }
    }

    /// Whether whoever has this address is a proxy.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Tells, now and then, of a proxy's connection that had to be closed.
    pub(crate) fn tell(&self, proxy: SocketAddr, fault: &ProxyFault, clock: &dyn Clock) {
        if self.is_due(clock) {
            tracing::warn!(
                %proxy,
                "closed a connection from {}, which `proxy_protocol_from` names: {fault}; have it send the header \
                 (HAProxy: `send-proxy-v2`), or take its address out of `proxy_protocol_from`",
                proxy.ip()
            );
        }
    }

    /// Tells, now and then, of a header from an address that is no proxy's: if that is what `error` is about.
    pub(crate) fn tell_if_header(&self, peer: SocketAddr, error: &XdrError, clock: &dyn Clock) {
        let is_header = matches!(error, XdrError::RecordTooLarge { claimed, .. } if *claimed == HEADER_AS_MARKER);
        if is_header && self.is_due(clock) {
            tracing::warn!(
                %peer,
                "closed a connection from {} that begins with a PROXY protocol header: it is not taken from there; if \
                 that is a load balancer, name it in `proxy_protocol_from`",
                peer.ip()
            );
        }
    }

    fn is_due(&self, clock: &dyn Clock) -> bool {
        let now = clock.monotonic();
        let told_at = &mut *self.told_at.lock();
        let is_due = told_at.is_none_or(|at| now >= at + LOG_INTERVAL);
        if is_due {
            *told_at = Some(now);
        }
        is_due
    }
}

/// Reads the header of a connection from `proxy`, and not a byte more: whose connection it is.
///
/// # Errors
///
/// [`ProxyFault`]; the connection is of no use then.
pub(crate) async fn client_behind(
    proxy: SocketAddr,
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<SocketAddr, ProxyFault> {
    let header = timeout(HEADER_DEADLINE, read_header(stream)).await;
    Ok(match header.map_err(|_| ProxyFault::Late)??.source {
        Source::Proxy => proxy,
        // To a proxy itself its own machine is "this machine"; here that is another one.
        Source::Client(client) if client.ip().to_canonical().is_loopback() => {
            SocketAddr::new(proxy.ip(), client.port())
        }
        Source::Client(client) => client,
    })
}

async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<ProxyHeader, ProxyFault> {
    let mut fixed = [0; FIXED_BYTES];
    stream.read_exact(&mut fixed).await?;
    let head = ProxyHead::decode(&fixed)?;
    let mut rest = [0; HEADER_BYTES_MAX - FIXED_BYTES];
    let rest = &mut rest[..head.rest_bytes()];
    stream.read_exact(rest).await?;
    Ok(ProxyHeader::decode(head, rest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD_V4: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";

    async fn behind(bytes: &[u8]) -> (Result<SocketAddr, ProxyFault>, usize) {
        let mut left = bytes;
        let client = client_behind(([10, 0, 0, 5], 4000).into(), &mut left).await;
        (client, left.len())
    }

    #[tokio::test]
    async fn the_client_is_who_the_proxy_says_and_its_first_call_is_left() {
        let addresses = [10, 1, 1, 1, 10, 0, 0, 9, 3, 0x20, 8, 1];
        let (client, left) = behind(&[HEAD_V4, &addresses, b"call"].concat()).await;
        assert_eq!((client.unwrap(), left), (([10, 1, 1, 1], 800).into(), 4));
    }

    /// Or programs of the proxy's machine could do here what only those of this machine may.
    #[tokio::test]
    async fn a_proxys_loopback_is_not_ours() {
        let addresses = [127, 0, 0, 1, 127, 0, 0, 1, 3, 0x20, 8, 1];
        let (client, _) = behind(&[HEAD_V4, &addresses].concat()).await;
        assert_eq!(client.unwrap(), ([10, 0, 0, 5], 800).into());
    }

    #[tokio::test]
    async fn nothing_is_taken_for_a_client_without_a_whole_header() {
        let call = [0x80, 0, 0, 0x28, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1];
        let (client, _) = behind(&call).await;
        assert!(matches!(
            client,
            Err(ProxyFault::Header(ProxyError::NoHeader))
        ));
        let (client, _) = behind(&[HEAD_V4, &[10, 1, 1, 1]].concat()).await;
        assert!(matches!(client, Err(ProxyFault::Closed(_))));
        let (client, _) = behind(b"").await;
        assert!(matches!(client, Err(ProxyFault::Closed(_))));
    }

    #[test]
    fn a_proxy_is_known_by_its_address_however_it_is_written() {
        let networks = ["10.0.0.5/32", "fd00::/64"].map(|network| network.parse().unwrap());
        let proxies = Proxies::new(networks.to_vec());
        let contain = |address: &str| proxies.contain(address.parse().unwrap());
        assert!(contain("10.0.0.5") && contain("::ffff:10.0.0.5") && contain("fd00::7"));
        assert!(!contain("10.0.0.6") && !contain("fd00:0:0:1::7") && !contain("127.0.0.1"));
    }
}
