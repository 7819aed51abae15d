//! `sluice meta`: the metadata service, and what frees the storage of removed files.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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

/// How often readiness is looked at again.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);

/// A metadata service that runs.
#[derive(Debug)]
pub struct Meta {
    serving: Condition,
    server: MetaServer,
    watch: Background,
    reclaim: Background,
    service: Arc<MetaService>,
    health: HealthServer,
    _data: DataDir,
}

impl Meta {
    /// Starts it.
    ///
    /// # Errors
    /// If the key, its directory or an address cannot be used.
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
        let links = wiring::links(config.cluster_key_file.as_deref())?;
        let data = DataDir::open(&config.data, "meta")?;
        let service = wiring::open_meta(data.join("kv"), service_config(&config)?).await?;
        let metadata: Arc<dyn Metadata> = service.clone();
        let served = Arc::clone(&metadata);
        let server = MetaServer::start(config.listen, "`listen`", links.clone(), served).await?;
        let reclaim = wiring::reclaim_in_background(metadata, wiring::tcp_transport(&links));
        serving.set(state(&service));
        let watch = Background::spawn(watch(Arc::clone(&service), serving.clone()));
        info!(address = %server.address(), data = %data.path().display(), "serving metadata");
        Ok(Self {
            serving,
            server,
            watch,
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

async fn watch(service: Arc<MetaService>, serving: Condition) {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        serving.set(state(&service));
    }
}

/// Whether the service can do what it is asked for.
fn state(service: &MetaService) -> Result<(), String> {
    service.failure().map_or(Ok(()), |reason| {
        Err(format!("its store has failed, restart it: {reason}"))
    })
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
        self.watch.stop().await;
        self.serving.unmet("stopping");
        self.reclaim.stop().await;
        self.server.shutdown().await;
        wiring::close_meta(self.service).await?;
        drop(self.health);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sluice_meta::kv::MemoryEngine;
    use sluice_types::{SystemClock, SystemRng};

    use super::*;

    #[tokio::test]
    async fn a_store_that_failed_is_told_with_its_reason() {
        let engine = Arc::new(MemoryEngine::new());
        let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
        let config = sluice_meta::MetaConfig::default();
        let service = MetaService::open(engine.clone(), config, clock, rng);
        let service = service.await.unwrap();
        let readiness = Readiness::new();
        let serving = readiness.condition("metadata");
        let watch = Background::spawn(watch(Arc::clone(&service), serving));
        let eventually = async |ready: bool| {
            while readiness.is_ready() != ready {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let soon = Duration::from_secs(10);
        tokio::time::timeout(soon, eventually(true)).await.unwrap();
        drop(engine.crash());
        tokio::time::timeout(soon, eventually(false)).await.unwrap();
        assert_eq!(
            readiness.explanation(),
            "metadata: its store has failed, restart it: the power was cut\n"
        );
        watch.stop().await;
    }
}
