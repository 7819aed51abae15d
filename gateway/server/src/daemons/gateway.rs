//! `sluice gateway`: what clients mount.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use sluice_types::MapVersion;
use sluice_wire::links::Links;
use sluice_wire::meta::{CallContext, GetMap, Metadata, MetadataExt as _, RemoteOptions};
use tracing::info;

use super::Daemon;
use crate::cluster_key::ClusterKey;
use crate::config::{GatewayConfig, HostPort};
use crate::health::{HealthServer, Readiness};
use crate::metrics::MetricsPage;
use crate::mount_line::mount_command;
use crate::wiring::{self, Background, Front, FrontConditions, FrontConfig};

/// How long to wait before the cluster is asked for again at the start.
const RETRY: Duration = Duration::from_millis(250);

/// A gateway that runs.
pub struct Gateway {
    conditions: FrontConditions,
    watch: Background,
    front: Front,
    health: HealthServer,
}

impl Gateway {
    /// Starts it: waits until the cluster is formed, then serves.
    ///
    /// # Errors
    /// If the key or a cache directory cannot be used, the cluster has another key, or a socket cannot be had.
    pub async fn start(config: GatewayConfig) -> anyhow::Result<Self> {
        let metrics = MetricsPage::install();
        let readiness = Readiness::new();
        let conditions = FrontConditions::new(&readiness);
        let health = HealthServer::open(
            config.metrics_listen,
            "`metrics_listen`",
            readiness,
            metrics,
        );
        let health = health.await?;
        let key = ClusterKey::load(&config.cluster_key_file)?;
        let links = match config.insecure_links {
            true => wiring::insecure_links(),
            false => wiring::keyed_links(&key),
        };
        let metadata = wiring::remote_metadata(&config.meta, &links, RemoteOptions::default())?;
        let watch = wiring::watch_in_background(Arc::clone(&metadata), conditions.clone());
        info!(meta = %config.meta, "waiting for the cluster");
        wait_for_cluster(metadata.as_ref(), &config.meta, &links).await?;
        let front = front_config(config, key);
        let transport = wiring::tcp_transport(&links);
        let front = Front::start(front, Arc::clone(&metadata), transport).await?;
        conditions.look(metadata.as_ref()).await;
        conditions.serving();
        let mount = mount_command(front.nfs_address(), front.ports_found());
        info!(metrics = %health.address(), mount, "serving");
        Ok(Self {
            conditions,
            watch,
            front,
            health,
        })
    }

    /// Where it serves NFS and MOUNT.
    pub fn nfs_address(&self) -> SocketAddr {
        self.front.nfs_address()
    }
}

/// Waits until the cluster is formed. That it has another key is no matter of waiting.
async fn wait_for_cluster(
    metadata: &dyn Metadata,
    meta: &HostPort,
    links: &Links,
) -> anyhow::Result<()> {
    let known = MapVersion::new(0);
    loop {
        let linked = wiring::check_link(meta, links).await;
        linked.with_context(|| format!("no link with the metadata service {meta}"))?;
        match metadata
            .run(&CallContext::internal(), GetMap { known })
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) if error.is_transient() => tokio::time::sleep(RETRY).await,
            Err(error) => return Err(error.into()),
        }
    }
}

fn front_config(config: GatewayConfig, key: ClusterKey) -> FrontConfig {
    FrontConfig {
        listen: config.listen,
        nfs_port: config.nfs_port,
        nfs_port_setting: "`nfs_port`",
        portmap: config.portmap,
        key,
        cache: config.cache,
        proxy_protocol_from: config.proxy_protocol_from,
        limits: config.limits,
        exports: config.exports,
    }
}

#[async_trait]
impl Daemon for Gateway {
    fn retire(&self) {
        self.conditions.stopping();
    }

    async fn shutdown(self) -> anyhow::Result<()> {
        self.conditions.stopping();
        let stopped = self.front.shutdown().await;
        self.watch.stop().await;
        drop(self.health);
        stopped
    }
}
