//! `sluice meta`: the metadata service, and what frees the storage of removed files.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use sluice_meta::MetaService;
use sluice_wire::meta::Metadata;
use tracing::info;

use super::Daemon;
use crate::config::MetaConfig;
use crate::data_dir::DataDir;
use crate::health::{Condition, HealthServer, Readiness};
use crate::metrics::MetricsPage;
use crate::wiring::{self, Background, MetaServer};

/// A metadata service that runs.
#[derive(Debug)]
pub struct Meta {
    serving: Condition,
    server: MetaServer,
    reclaim: Background,
    service: Arc<MetaService>,
    health: HealthServer,
    _data: DataDir,
}

impl Meta {
    /// Starts it.
    ///
    /// # Errors
    /// If its directory or an address cannot be used.
    pub async fn start(config: MetaConfig) -> anyhow::Result<Self> {
        let metrics = MetricsPage::install();
        let readiness = Readiness::new();
        let serving = readiness.condition("metadata");
        let health = HealthServer::open(
            config.metrics_listen,
            "`metrics_listen`",
            readiness,
            metrics,
        );
        let health = health.await?;
        let data = DataDir::open(&config.data, "meta")?;
        let service = wiring::open_meta(data.join("kv"), service_config(&config)?).await?;
        let metadata: Arc<dyn Metadata> = service.clone();
        let server = MetaServer::start(config.listen, "`listen`", Arc::clone(&metadata)).await?;
        let reclaim = wiring::reclaim_in_background(metadata, wiring::tcp_transport());
        serving.met();
        info!(address = %server.address(), data = %data.path().display(), "serving metadata");
        Ok(Self {
            serving,
            server,
            reclaim,
            service,
            health,
            _data: data,
        })
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

fn service_config(config: &MetaConfig) -> anyhow::Result<sluice_meta::MetaConfig> {
    Ok(sluice_meta::MetaConfig {
        initial_targets: config.cluster.initial_targets,
        placement_groups: config.cluster.placement_groups,
        root_layout: config.layout.layout().map_err(anyhow::Error::msg)?,
        ..sluice_meta::MetaConfig::default()
    })
}

#[async_trait]
impl Daemon for Meta {
    async fn shutdown(self) -> anyhow::Result<()> {
        self.serving.unmet("stopping");
        self.reclaim.stop().await;
        self.server.shutdown().await;
        wiring::close_meta(self.service).await?;
        drop(self.health);
        Ok(())
    }
}
