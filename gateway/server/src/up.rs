//! A whole cluster in one process: what `sluice up` runs, and what tests and benchmarks start in their own process.
//!
//! Everything is a direct call: gateway, client, metadata service and storage targets share the process, and only NFS,
//! metrics and administration have sockets. The parts are those of a real cluster; only the way between them differs.
//!
//! The directory:
//!
//! ```text
//! DIR/sluice-data   what this is    DIR/lock          held while it runs
//! DIR/cluster.key   the key         DIR/admin.json    loopback ports for `sluice admin`, while it runs
//! DIR/meta/         metadata        DIR/targets/N/    chunks
//! ```

mod target_dirs;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use sluice_fabric::{Handler, LocalOptions, LocalTransport, TcpServer, Transport};
use sluice_meta::MetaService;
use sluice_storage::{StorageService, TargetHealth};
use sluice_store::FormatPolicy;
use sluice_types::{MapVersion, SystemClock, TargetId};
use sluice_wire::meta::{CallContext, GetMap, Metadata, MetadataExt as _};
use tracing::info;

use crate::admin::Endpoints;
use crate::cluster_key::ClusterKey;
use crate::config::{CacheConfig, ExportConfig, LimitsConfig, PortmapMode, TargetConfig};
use crate::daemons::Daemon;
use crate::data_dir::DataDir;
use crate::health::{HealthServer, Readiness};
use crate::metrics::MetricsPage;
use crate::mount_line::mount_command;
use crate::wiring::{self, Background, Front, FrontConditions, FrontConfig, MetaServer, Storage};

/// A loopback port that the system chooses.
const ANY_LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long requests of administrators may take when stopping.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// What a cluster in one process is started with.
#[derive(Clone, Debug)]
pub struct UpConfig {
    /// Where everything is kept; made if missing.
    pub data: PathBuf,
    /// The address to serve on.
    pub listen: IpAddr,
    /// The port for NFS and MOUNT; 0 for any.
    pub nfs_port: u16,
    /// The port for metrics and health; 0 for any.
    pub metrics_port: u16,
    /// How many storage targets the directory gets when it is made.
    pub targets: u32,
    /// How much each of them may hold; what the file system has, if nothing is said.
    pub target_capacity: Option<crate::config::ByteSize>,
    /// How clients find the ports.
    pub portmap: PortmapMode,
    /// Cache budgets.
    pub cache: CacheConfig,
    /// Bounds of what clients may make it hold.
    pub limits: LimitsConfig,
    /// What it offers.
    pub exports: Vec<ExportConfig>,
}

impl UpConfig {
    /// Everything as `sluice up --data DIR` has it.
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            nfs_port: 2049,
            metrics_port: 9464,
            targets: 4,
            target_capacity: None,
            portmap: PortmapMode::Auto,
            cache: CacheConfig::default(),
            limits: LimitsConfig::default(),
            exports: vec![ExportConfig::everything()],
        }
    }

    /// For tests and benchmarks: ports that the system chooses, and no port mapper.
    pub fn for_tests(data: PathBuf) -> Self {
        Self {
            nfs_port: 0,
            metrics_port: 0,
            portmap: PortmapMode::Off,
            ..Self::new(data)
        }
    }
}

/// A cluster in one process, serving.
pub struct Running {
    front: Front,
    conditions: FrontConditions,
    background: Vec<Background>,
    admin_meta: MetaServer,
    admin_storage: TcpServer,
    storage: Storage,
    transport: Arc<dyn Transport>,
    meta: Arc<MetaService>,
    health: HealthServer,
    data: DataDir,
}

impl Running {
    /// Starts everything; when it returns, clients can mount.
    ///
    /// # Errors
    /// What keeps it from starting and what to do about it, in words.
    pub async fn start(config: UpConfig) -> anyhow::Result<Self> {
        let metrics = MetricsPage::install();
        let readiness = Readiness::new();
        let conditions = FrontConditions::new(&readiness);
        let metrics_address = SocketAddr::new(config.listen, config.metrics_port);
        let health = HealthServer::open(metrics_address, "--metrics-port", readiness, metrics);
        let health = health.await?;
        let data = DataDir::open(&config.data, "up")?;
        let key = ClusterKey::load_or_create(&data.join("cluster.key"))?;
        let (storage, target_count) = open_targets(&data, &config).await?;
        check_metadata_is_there(&data, &storage)?;
        let meta = wiring::open_meta(data.join("meta"), meta_config(target_count)).await?;
        let metadata: Arc<dyn Metadata> = meta.clone();
        form_cluster(&storage, metadata.as_ref()).await?;
        let handler: Arc<dyn Handler> = storage.service.clone();
        let transport = local_transport(Arc::clone(&handler));
        let links = wiring::keyed_links(&key);
        let served = metadata.clone();
        let admin_meta = MetaServer::start(ANY_LOOPBACK, "--listen", links.clone(), served).await?;
        let admin_storage =
            wiring::serve_storage(ANY_LOOPBACK, "--listen", &links, handler).await?;
        note_endpoints(&data, &admin_meta, &admin_storage)?;
        let front = front_config(&config, &key);
        let front = Front::start(front, metadata.clone(), transport.clone()).await?;
        let background = vec![
            wiring::report_in_background(&storage.service, metadata.clone(), String::new()),
            wiring::reclaim_in_background(metadata.clone(), transport.clone()),
            wiring::watch_in_background(metadata.clone(), conditions.clone()),
        ];
        conditions.look(metadata.as_ref()).await;
        conditions.serving();
        let running = Self {
            front,
            conditions,
            background,
            admin_meta,
            admin_storage,
            storage,
            transport,
            meta,
            health,
            data,
        };
        running.announce();
        Ok(running)
    }

    /// Where it serves NFS and MOUNT.
    pub fn nfs_address(&self) -> SocketAddr {
        self.front.nfs_address()
    }

    /// Where it serves metrics and health.
    pub fn metrics_address(&self) -> SocketAddr {
        self.health.address()
    }

    /// The command for a client to mount it.
    pub fn mount_command(&self) -> String {
        mount_command(self.front.nfs_address(), self.front.ports_found())
    }

    /// Its metadata service, by direct call.
    pub fn metadata(&self) -> Arc<dyn Metadata> {
        self.meta.clone()
    }

    /// The way to its storage targets, by direct call.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport)
    }

    /// Stops in order; see [`Daemon::shutdown`].
    ///
    /// # Errors
    /// If something could not be made durable.
    pub async fn shutdown(self) -> anyhow::Result<()> {
        self.conditions.stopping();
        Endpoints::remove(self.data.path());
        let front = self.front.shutdown().await;
        for background in self.background {
            background.stop().await;
        }
        self.admin_meta.shutdown().await;
        self.admin_storage.shutdown(ADMIN_DRAIN).await;
        let stored = self.storage.close().await;
        drop(self.transport);
        let meta = wiring::close_meta(self.meta).await;
        drop(self.health);
        front.and(stored).and(meta)
    }

    fn announce(&self) {
        info!(
            data = %self.data.path().display(),
            nfs = %self.nfs_address(),
            metrics = %self.metrics_address(),
            "serving"
        );
    }
}

#[async_trait]
impl Daemon for Running {
    fn retire(&self) {
        self.conditions.stopping();
    }

    async fn shutdown(self) -> anyhow::Result<()> {
        Running::shutdown(self).await
    }
}

/// All targets of the directory, and how many they are. One that cannot be opened would make most files unreadable, so
/// it keeps the process from starting.
async fn open_targets(data: &DataDir, config: &UpConfig) -> anyhow::Result<(Storage, u32)> {
    let dirs = target_dirs::find_or_make(&data.join("targets"), config.targets)?;
    let targets: Vec<TargetConfig> = dirs
        .into_iter()
        .map(|dir| TargetConfig {
            capacity: config.target_capacity,
            ..TargetConfig::in_dir(dir)
        })
        .collect();
    // Metadata is made after the targets: once it is there, so are they.
    let missing = if data.join("meta").exists() {
        FormatPolicy::Never
    } else {
        FormatPolicy::IfEmpty
    };
    let storage = wiring::open_storage(&targets, target_dirs::label, missing).await?;
    let failed = wiring::failed_targets(&storage.service);
    if !failed.is_empty() {
        storage.close().await?;
        bail!(
            "not all storage targets can be opened:\n{}",
            failed.join("\n")
        );
    }
    Ok((storage, u32::try_from(targets.len())?))
}

fn meta_config(targets: u32) -> sluice_meta::MetaConfig {
    let default = sluice_meta::MetaConfig::default();
    sluice_meta::MetaConfig {
        initial_targets: targets,
        placement_groups: default.placement_groups.max(targets),
        forget_sessions: true,
        ..default
    }
}

/// Targets that served before belong to the metadata they were numbered by: new metadata would take their chunks for
/// those of other files.
fn check_metadata_is_there(data: &DataDir, storage: &Storage) -> anyhow::Result<()> {
    let health = storage.service.targets().health();
    let numbered = |target: &TargetHealth| target.target != TargetId::UNREGISTERED;
    let meta = data.join("meta");
    if !meta.exists() && health.iter().any(numbered) {
        bail!(
            "the storage targets belong to a file system whose metadata is missing: there is no {}\n\
             put it back, or give another directory",
            meta.display()
        );
    }
    Ok(())
}

/// Tells the metadata service of the targets: they get their numbers, and a new cluster is formed.
async fn form_cluster(storage: &Storage, metadata: &dyn Metadata) -> anyhow::Result<()> {
    let service = &storage.service;
    service
        .report(metadata, "")
        .await
        .context("the storage targets cannot be registered")?;
    let foreign = wiring::failed_targets(service);
    if !foreign.is_empty() {
        bail!("not all storage targets serve:\n{}", foreign.join("\n"));
    }
    if !service.is_registered() {
        bail!(
            "the cluster is not formed: its metadata expects more storage targets than there are\n\
             was something removed from the `targets` directory?"
        );
    }
    check_targets_are_there(service, metadata).await
}

/// Every target that holds a part of the file system must be served: a file's chunks lie on all of them.
async fn check_targets_are_there(
    service: &StorageService,
    metadata: &dyn Metadata,
) -> anyhow::Result<()> {
    let known = MapVersion::default();
    let map = metadata
        .run(&CallContext::internal(), GetMap { known })
        .await;
    let map = map.context("the cluster map cannot be read")?;
    let health = service.targets().health();
    let mut needed = map.groups.iter().flat_map(|group| &group.replicas);
    let missing = needed.find(|needed| !health.iter().any(|target| target.target == **needed));
    if let Some(missing) = missing {
        bail!(
            "storage target {missing} of this file system is not in the `targets` directory\n\
             is its disk not mounted, or was it emptied? put it back and start again"
        );
    }
    Ok(())
}

fn local_transport(handler: Arc<dyn Handler>) -> Arc<dyn Transport> {
    let clock = Arc::new(SystemClock::new());
    let transport = LocalTransport::new(LocalOptions::default(), clock);
    transport.register("", handler);
    Arc::new(transport)
}

fn note_endpoints(data: &DataDir, meta: &MetaServer, storage: &TcpServer) -> anyhow::Result<()> {
    let endpoints = Endpoints {
        process: std::process::id(),
        meta: meta.address(),
        storage: storage
            .address()
            .parse()
            .context("the fabric's own address")?,
    };
    endpoints.write(data.path())
}

fn front_config(config: &UpConfig, key: &ClusterKey) -> FrontConfig {
    FrontConfig {
        listen: config.listen,
        nfs_port: config.nfs_port,
        nfs_port_setting: "--nfs-port",
        portmap: config.portmap,
        key: key.clone(),
        cache: config.cache.clone(),
        proxy_protocol_from: Vec::new(),
        limits: config.limits,
        exports: config.exports.clone(),
    }
}
