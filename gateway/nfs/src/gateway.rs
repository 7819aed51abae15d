//! The gateway's sockets: opened at the start, closed at the end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use sluice_proto_nfs::portmap::{Mapping, Transport};
use sluice_proto_nfs::rpc::Program;
use sluice_types::{Clock, FileSystemId};
use sluice_vfs::Exports;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::call::Endpoint;
use crate::client_key::ClientKey;
use crate::connection::Connections;
use crate::datagram_socket::DatagramSocket;
use crate::engine::Engine;
use crate::export_roots::ExportRoots;
use crate::files::FileService;
use crate::handle::HandleMaker;
use crate::in_flight::InFlight;
use crate::limits::PORTMAP_CONNECTIONS_MAX;
use crate::local_services::LocalServices;
use crate::lock_callbacks::{self, LockCallbacks};
use crate::metrics::NfsMetrics;
use crate::mount_table::MountTable;
use crate::places::Places;
use crate::proxies::Proxies;
use crate::registration::Registration;
use crate::{NfsConfig, NfsError, PortmapMode, datagrams};

/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 4096;
/// How long a silent connection may be before the kernel asks whether the client still lives.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long accepting waits when the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often refused connections are told of in the log.
const REFUSED_LOG_INTERVAL: Duration = Duration::from_secs(10);
/// How many ports of the system's choice are tried.
const PORT_TRIES: usize = 8;
/// How long connections that were told to end at once may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// How clients find the ports now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortmapState {
    /// The gateway answers on the port mapper's port.
    Own,
    /// The programs are registered with the machine's rpcbind.
    Registered,
    /// Clients have to name the port.
    Off,
}

/// A running NFS gateway.
pub struct Gateway {
    address: SocketAddr,
    portmap: PortmapState,
    shared: Connections,
    /// The `closing` of connections accepted from now on.
    generation: Arc<Mutex<CancellationToken>>,
    registration: Mutex<Option<Registration>>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct("Gateway");
        debug
            .field("address", &self.address)
            .field("portmap", &self.portmap);
        debug.finish_non_exhaustive()
    }
}

impl Gateway {
    /// Opens the sockets and serves.
    ///
    /// # Errors
    ///
    /// [`NfsError`], when a socket that the configuration asks for cannot be had.
    pub async fn start(
        config: NfsConfig,
        files: Arc<dyn FileService>,
        exports: Arc<Exports>,
        file_system: FileSystemId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NfsError> {
        let metrics = NfsMetrics::new();
        let admission = Admission::new(&config.limits, &metrics);
        let engine = Arc::new(Engine {
            files,
            exports,
            export_roots: ExportRoots::default(),
            handles: HandleMaker::new(&config.cluster_key, file_system),
            file_system,
            clock,
            in_flight: InFlight::new(metrics.duplicates.clone()),
            metrics,
            mounts: MountTable::default(),
            lock_callbacks: LockCallbacks::new(config.client_portmap_port),
            mappings: RwLock::new(Vec::new()),
            local_services: LocalServices::default(),
        });
        let shared = Connections {
            engine,
            limits: Arc::new(config.limits.clone()),
            proxies: Arc::new(Proxies::new(config.proxy_protocol_from.clone())),
            admission,
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
            session: None,
        };
        let (listener, socket) = open(config.listen, config.port)?;
        let address = local_address(&listener, config.listen, config.port);
        *shared.engine.mappings.write() = mappings(address.port(), None);
        let mut gateway = Self {
            address,
            portmap: PortmapState::Off,
            generation: Arc::new(Mutex::new(shared.closing.clone())),
            shared,
            registration: Mutex::new(None),
        };
        gateway.portmap = match gateway.announce(&config).await {
            Ok(portmap) => portmap,
            Err(error) => {
                gateway.shutdown(Duration::ZERO).await;
                return Err(error);
            }
        };
        gateway.listen(listener, socket, Endpoint::Nfs, Endpoint::NfsDatagrams);
        let shared = &gateway.shared;
        let telling = lock_callbacks::run(
            Arc::clone(&shared.engine),
            shared.tasks.clone(),
            shared.draining.clone(),
        );
        shared.tasks.spawn(telling);
        Ok(gateway)
    }

    /// Where NFS is served.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How clients find the ports.
    pub const fn portmap(&self) -> PortmapState {
        self.portmap
    }

    /// Closes all connections at once, with calls in work unanswered: what a gateway does whose session with the
    /// metadata service lapsed. New connections are served as before.
    pub fn drop_connections(&self) {
        let mut generation = self.generation.lock();
        generation.cancel();
        *generation = CancellationToken::new();
    }

    /// Takes no more calls, answers those in work, closes connections. Returns whether that was done within
    /// `deadline`; what was not is cut off.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.draining.cancel();
        let registration = self.registration.lock().take();
        if let Some(registration) = registration {
            registration.take_back().await;
        }
        self.shared.tasks.close();
        let drained = timeout(deadline, self.shared.tasks.wait()).await.is_ok();
        if !drained {
            self.drop_connections();
            let _ = timeout(CLOSE_DEADLINE, self.shared.tasks.wait()).await;
        }
        drained
    }

    async fn announce(&self, config: &NfsConfig) -> Result<PortmapState, NfsError> {
        match config.portmap {
            PortmapMode::Off => Ok(PortmapState::Off),
            PortmapMode::Own => self.answer_portmap(config),
            PortmapMode::Register => self.register(config).await,
            PortmapMode::Auto => {
                let own = match self.answer_portmap(config) {
                    Ok(state) => return Ok(state),
                    Err(error) => error,
                };
                self.register(config).await.or_else(|register| {
                    tracing::warn!(%own, %register, "no port mapper: clients have to name the port");
                    Ok(PortmapState::Off)
                })
            }
        }
    }

    fn answer_portmap(&self, config: &NfsConfig) -> Result<PortmapState, NfsError> {
        let (listener, socket) = open(config.listen, config.portmap_port)?;
        let port = local_address(&listener, config.listen, config.portmap_port).port();
        *self.shared.engine.mappings.write() = mappings(self.address.port(), Some(port));
        self.listen(listener, socket, Endpoint::Portmap, Endpoint::Portmap);
        Ok(PortmapState::Own)
    }

    async fn register(&self, config: &NfsConfig) -> Result<PortmapState, NfsError> {
        let mappings = mappings(self.address.port(), None);
        let registration = Registration::make(config.rpcbind, &mappings).await?;
        *self.registration.lock() = Some(registration);
        Ok(PortmapState::Registered)
    }

    fn listen(
        &self,
        listener: TcpListener,
        socket: DatagramSocket,
        stream: Endpoint,
        datagram: Endpoint,
    ) {
        let shared = self.shared.clone();
        let generation = Arc::clone(&self.generation);
        self.shared
            .tasks
            .spawn(accept(shared, generation, listener, stream));
        self.shared
            .tasks
            .spawn(datagrams::serve(self.shared.clone(), socket, datagram));
    }
}

async fn accept(
    shared: Connections,
    generation: Arc<Mutex<CancellationToken>>,
    listener: TcpListener,
    endpoint: Endpoint,
) {
    let limit = match endpoint {
        Endpoint::Portmap => PORTMAP_CONNECTIONS_MAX,
        Endpoint::Nfs | Endpoint::NfsDatagrams => shared.limits.connections_possible(),
    };
    let places = Places::new(limit);
    let mut logged_at: Option<Duration> = None;
    loop {
        let accepted = tokio::select! {
            () = shared.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let engine = &shared.engine;
        engine.metrics.accepted.increment(1);
        // Load balancers stand before the NFS port only; what else runs on their machines asks portmap as others do.
        let is_proxied = endpoint == Endpoint::Nfs && shared.proxies.contain(peer.ip());
        let client = match is_proxied {
            true => ClientKey::Proxy,
            false => ClientKey::of(peer.ip(), &engine.exports),
        };
        let Some(mut place) = places.take(client) else {
            engine.metrics.refused.increment(1);
            let now = engine.clock.monotonic();
            if logged_at.is_none_or(|at| now >= at + REFUSED_LOG_INTERVAL) {
                logged_at = Some(now);
                tracing::warn!(%peer, ?client, limit, "too many connections, in all or of this client");
            }
            continue;
        };
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%peer, %error, "socket options not set");
        }
        // In this order: if sessions change in between, the connection is told to close.
        let closing = generation.lock().clone();
        let connections = Connections {
            closing,
            session: shared.engine.files.session(),
            ..shared.clone()
        };
        shared.tasks.spawn(async move {
            if is_proxied {
                let serving = connections.serve_proxied(stream, peer, &mut place, endpoint);
                serving.await;
            } else {
                connections.serve(stream, peer, client, endpoint).await;
            }
            drop(place);
        });
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE / 4);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// A listener and a datagram socket on one port. A port that the system chose for TCP may be taken for UDP: then it
/// is asked for another.
fn open(listen: IpAddr, port: u16) -> Result<(TcpListener, DatagramSocket), NfsError> {
    let mut opened = open_once(listen, port);
    for _ in 0..PORT_TRIES {
        if port != 0 || opened.is_ok() {
            break;
        }
        opened = open_once(listen, port);
    }
    opened
}

fn open_once(listen: IpAddr, port: u16) -> Result<(TcpListener, DatagramSocket), NfsError> {
    let address = SocketAddr::new(listen, port);
    let failed = |address, transport| {
        move |source| NfsError::Listen {
            address,
            transport,
            source,
        }
    };
    let listener = open_listener(address).map_err(failed(address, "tcp"))?;
    let address = local_address(&listener, listen, port);
    let socket = open_datagrams(address).map_err(failed(address, "udp"))?;
    Ok((listener, socket))
}

fn open_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restarted gateway takes its port back while old connections linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn open_datagrams(address: SocketAddr) -> io::Result<DatagramSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    DatagramSocket::new(UdpSocket::from_std(socket.into())?)
}

/// Where a listener is, with the port that it got.
fn local_address(listener: &TcpListener, listen: IpAddr, port: u16) -> SocketAddr {
    let port = listener.local_addr().map_or(port, |address| address.port());
    SocketAddr::new(listen, port)
}

/// What portmap answers. NFS itself is offered over TCP only.
fn mappings(port: u16, portmap_port: Option<u16>) -> Vec<Mapping> {
    let mapping = |program: Program, transport, port: u16| Mapping {
        program: program.number(),
        version: program.version(),
        transport,
        port: port.into(),
    };
    let mut mappings = vec![mapping(Program::Nfs, Transport::TCP, port)];
    for program in [Program::Mount, Program::Nlm, Program::Nsm] {
        mappings.push(mapping(program, Transport::TCP, port));
        mappings.push(mapping(program, Transport::UDP, port));
    }
    for transport in [Transport::TCP, Transport::UDP] {
        mappings.extend(portmap_port.map(|port| mapping(Program::Portmap, transport, port)));
    }
    mappings
}
