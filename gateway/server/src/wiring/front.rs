//! What clients meet: the NFS engine over the file service, its caches and the striping client. The same in a gateway
//! and in a cluster of one process.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;
use parking_lot::Mutex;
use sluice_cache::BlockCache;
use sluice_client::Client;
use sluice_fabric::Transport;
use sluice_gateway_nfs::{Gateway, NfsConfig, NfsError, PortmapState};
use sluice_types::{Clock, FileSystemId, SystemClock};
use sluice_vfs::{Vfs, VfsConfig};
use sluice_wire::meta::Metadata;
use tracing::{error, info, warn};

use super::Background;
use super::client::open_gateway_client;
use crate::cluster_key::ClusterKey;
use crate::config::{CacheConfig, ExportConfig, LimitsConfig, PortmapMode, served_exports};
use crate::explain;
use crate::mount_line::PortsFound;

/// How long calls in work may take when stopping.
const DRAIN: Duration = Duration::from_secs(15);

/// What a front is started with.
#[derive(Clone, Debug)]
pub struct FrontConfig {
    /// The address to serve on.
    pub listen: IpAddr,
    /// The port for NFS and MOUNT; 0 for any.
    pub nfs_port: u16,
    /// What people change to have another port.
    pub nfs_port_setting: &'static str,
    /// How clients find the ports.
    pub portmap: PortmapMode,
    /// Signs file handles.
    pub key: ClusterKey,
    /// Cache budgets.
    pub cache: CacheConfig,
    /// Load balancers that say whose connections they pass on.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Bounds.
    pub limits: LimitsConfig,
    /// What is offered.
    pub exports: Vec<ExportConfig>,
}

/// NFS, served.
pub struct Front {
    gateway: Arc<Gateway>,
    lives: Background,
    vfs: Arc<Vfs>,
    cache: Arc<BlockCache>,
    client: Arc<Mutex<Arc<Client>>>,
}

impl Front {
    /// Opens the file system of a cluster that is formed, and serves it.
    ///
    /// # Errors
    /// If the cluster does not answer, a cache directory cannot be used, or a socket cannot be had.
    pub async fn start(
        config: FrontConfig,
        metadata: Arc<dyn Metadata>,
        transport: Arc<dyn Transport>,
    ) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let exports = Arc::new(served_exports(&config.exports)?);
        let cluster = GatewayCluster {
            metadata,
            transport,
            address: config.listen,
            port: config.nfs_port,
        };
        let client = cluster.connect().await?;
        let file_system = client.map().file_system;
        let cache = open_cache(&config.cache, file_system).await?;
        let vfs = Vfs::open(
            client.clone(),
            Arc::clone(&cache),
            VfsConfig::default(),
            Arc::clone(&clock),
        );
        let vfs = vfs.await.context("the file system cannot be opened")?;
        let setting = config.nfs_port_setting;
        let gateway = Gateway::start(
            nfs_config(&config),
            vfs.clone(),
            exports,
            file_system,
            clock,
        );
        let gateway = Arc::new(gateway.await.map_err(|error| explained(error, setting))?);
        info!(address = %gateway.address(), portmap = ?gateway.portmap(), "serving NFS");
        let client = Arc::new(Mutex::new(client));
        let lives = go_on_after_lapses(
            cluster,
            Arc::clone(&client),
            Arc::clone(&vfs),
            Arc::clone(&gateway),
        );
        Ok(Self {
            lives: Background::spawn(lives),
            gateway,
            vfs,
            cache,
            client,
        })
    }

    /// Where it serves NFS and MOUNT.
    pub fn nfs_address(&self) -> SocketAddr {
        self.gateway.address()
    }

    /// How clients find that port.
    pub fn ports_found(&self) -> PortsFound {
        match self.gateway.portmap() {
            PortmapState::Own | PortmapState::Registered => PortsFound::ByPortmap,
            PortmapState::Off => PortsFound::ByOptions,
        }
    }

    /// Takes no more calls, answers those in work, tells the metadata service of files being written, and closes.
    ///
    /// # Errors
    /// If the metadata service could not be told; what was acknowledged is safe all the same.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.lives.stop().await;
        if !self.gateway.shutdown(DRAIN).await {
            warn!(deadline = ?DRAIN, "calls in work were cut off; clients send them again");
        }
        let settled = self.vfs.shutdown().await;
        self.cache.close().await;
        let client = Arc::clone(&self.client.lock());
        if let Err(error) = client.close_session().await {
            warn!(%error, "the session could not be closed: others wait until it lapses");
        }
        settled.context("files being written could not be settled")
    }
}

/// The cluster as a gateway comes to it, again and again.
struct GatewayCluster {
    metadata: Arc<dyn Metadata>,
    transport: Arc<dyn Transport>,
    address: IpAddr,
    port: u16,
}

impl GatewayCluster {
    async fn connect(&self) -> anyhow::Result<Arc<Client>> {
        let (metadata, transport) = (Arc::clone(&self.metadata), Arc::clone(&self.transport));
        open_gateway_client(metadata, transport, self.address, self.port).await
    }
}

/// A gateway whose session has ended must not carry out what clients asked for before: it drops their connections, they
/// send again what was not answered, and it goes on under another session.
async fn go_on_after_lapses(
    cluster: GatewayCluster,
    present: Arc<Mutex<Arc<Client>>>,
    vfs: Arc<Vfs>,
    gateway: Arc<Gateway>,
) {
    loop {
        let client = Arc::clone(&present.lock());
        client.session_ended().await;
        warn!("the session with the metadata service has ended: dropping all client connections");
        gateway.drop_connections();
        let client = loop {
            match cluster.connect().await {
                Ok(client) => break client,
                Err(error) => warn!(%error, "no new session yet"),
            }
        };
        if let Err(error) = vfs.go_on(client.clone()) {
            error!(%error, "the metadata service is of another file system now: restart the gateway");
            return;
        }
        *present.lock() = client;
        // Who came meanwhile came under the old session.
        gateway.drop_connections();
    }
}

async fn open_cache(
    config: &CacheConfig,
    file_system: FileSystemId,
) -> anyhow::Result<Arc<BlockCache>> {
    let cache = BlockCache::open(sluice_cache::CacheConfig {
        file_system,
        memory_bytes: config.memory.bytes(),
        directory: config.dir.clone(),
        directory_bytes: config.size.map_or(0, |size| size.bytes()),
    });
    cache.await.context("the cache cannot be opened")
}

fn nfs_config(config: &FrontConfig) -> NfsConfig {
    let key = sluice_gateway_nfs::ClusterKey::new(config.key.handle_key());
    let default = NfsConfig::new(config.listen, key);
    let limits = &config.limits;
    NfsConfig {
        port: config.nfs_port,
        portmap: match config.portmap {
            PortmapMode::Auto => sluice_gateway_nfs::PortmapMode::Auto,
            PortmapMode::Own => sluice_gateway_nfs::PortmapMode::Own,
            PortmapMode::Register => sluice_gateway_nfs::PortmapMode::Register,
            PortmapMode::Off => sluice_gateway_nfs::PortmapMode::Off,
        },
        proxy_protocol_from: config.proxy_protocol_from.clone(),
        limits: sluice_gateway_nfs::Limits {
            connections_max: limits.connections as usize,
            calls_per_connection_max: limits.calls_per_connection as usize,
            calls_max: limits.calls as usize,
            bytes_in_flight_max: limits.in_flight_memory.bytes_in_memory(),
            ..default.limits.clone()
        },
        ..default
    }
}

fn explained(error: NfsError, port_setting: &str) -> anyhow::Error {
    match &error {
        NfsError::Listen {
            address, source, ..
        } if address.port() == sluice_proto_nfs::portmap::PORT => explain::listen(
            "the port mapper",
            *address,
            "portmap: `register` uses the rpcbind that runs, `off` leaves ports to mount options",
            source,
        ),
        NfsError::Listen {
            address, source, ..
        } => explain::listen("NFS", *address, port_setting, source),
        NfsError::Rpcbind { .. } | NfsError::RegistrationRefused { .. } => {
            anyhow::Error::new(error)
                .context("choose portmap `own`, `off` or `auto`, or start rpcbind")
        }
    }
}
