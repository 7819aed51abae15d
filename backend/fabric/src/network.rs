//! Where sockets come from: a trait, so that a simulated network can take the place of the system's.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// After how long without a word a connection is probed.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
/// How far apart probes are.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// After how many unanswered probes a connection is given up.
const KEEPALIVE_PROBES: u32 = 5;
/// After how long of data sent and not acknowledged a connection is given up.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// A network in which daemons reach each other by `host:port`.
#[async_trait]
pub trait Network: Send + Sync {
    /// A connection to `address`.
    ///
    /// # Errors
    /// What the network says.
    async fn connect(&self, address: &str) -> io::Result<Stream>;

    /// Accepts connections at `address`; port 0 for any.
    ///
    /// # Errors
    /// What the network says.
    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>>;
}

/// Accepts connections.
#[async_trait]
pub trait Listener: Send + Sync {
    /// The next connection.
    ///
    /// # Errors
    /// What the network says; the listener goes on to be good.
    async fn accept(&self) -> io::Result<Stream>;

    /// Where connections are accepted, `host:port`.
    fn address(&self) -> &str;
}

/// Both ends of a connection on this side.
pub struct Stream {
    /// What comes in.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What goes out.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// Who is at the other end, `host:port`.
    pub peer: String,
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.reader).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.writer).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.writer).poll_shutdown(context)
    }
}

/// The system's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNetwork;

#[async_trait]
impl Network for SystemNetwork {
    async fn connect(&self, address: &str) -> io::Result<Stream> {
        stream(TcpStream::connect(address).await?)
    }

    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?.to_string();
        Ok(Box::new(SystemListener { listener, address }))
    }
}

struct SystemListener {
    listener: TcpListener,
    address: String,
}

#[async_trait]
impl Listener for SystemListener {
    async fn accept(&self) -> io::Result<Stream> {
        stream(self.listener.accept().await?.0)
    }

    fn address(&self) -> &str {
        &self.address
    }
}

fn stream(socket: TcpStream) -> io::Result<Stream> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    let options = SockRef::from(&socket);
    options.set_tcp_keepalive(&keepalive)?;
    options.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    let peer = socket.peer_addr()?.to_string();
    let (reader, writer) = socket.into_split();
    Ok(Stream {
        reader: Box::new(reader),
        writer: Box::new(writer),
        peer,
    })
}
