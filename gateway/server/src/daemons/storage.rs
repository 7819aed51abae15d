//! `sluice storage`: targets, served to the cluster.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sluice_fabric::{Handler, TcpServer};
use sluice_storage::StorageService;
use sluice_store::FormatPolicy;
use sluice_wire::meta::RemoteOptions;
use tracing::info;

use super::Daemon;
use crate::config::StorageConfig;
use crate::health::{Condition, HealthServer, Readiness};
use crate::metrics::MetricsPage;
use crate::wiring::{self, Background};

/// How often readiness is looked at again.
const WATCH_INTERVAL: Duration = Duration::from_millis(500);
/// How long requests in work may take when stopping.
const DRAIN: Duration = Duration::from_secs(10);

/// A storage daemon that runs.
pub struct Storage {
    targets: Condition,
    reporter: Background,
    watch: Background,
    server: TcpServer,
    storage: wiring::Storage,
    health: HealthServer,
}

impl Storage {
    /// Starts it. The metadata service need not run yet.
    ///
    /// # Errors
    /// If the key cannot be used, no target can be opened, or an address cannot be used.
    pub async fn start(config: StorageConfig) -> anyhow::Result<Self> {
        let metrics = MetricsPage::install();
        let readiness = Readiness::new();
        let targets = readiness.condition("targets");
        let health = HealthServer::open(
            config.metrics_listen,
            "`metrics_listen`",
            readiness,
            metrics,
        );
        let health = health.await?;
        let links = wiring::links(config.cluster_key_file.as_deref())?;
        let label = |dir: &std::path::Path| dir.display().to_string();
        let storage = wiring::open_storage(&config.targets, label, FormatPolicy::IfEmpty).await?;
        let handler: Arc<dyn Handler> = storage.service.clone();
        let server = wiring::serve_storage(config.listen, "`listen`", &links, handler).await?;
        let metadata = wiring::remote_metadata(&config.meta, &links, RemoteOptions::default())?;
        let advertised = config.advertised().to_string();
        info!(address = server.address(), advertised, meta = %config.meta, "serving storage");
        let reporter = wiring::report_in_background(&storage.service, metadata, advertised);
        let watched = (Arc::clone(&storage.service), targets.clone());
        let watch = Background::spawn(watch(watched.0, watched.1));
        Ok(Self {
            targets,
            reporter,
            watch,
            server,
            storage,
            health,
        })
    }
}

async fn watch(service: Arc<StorageService>, targets: Condition) {
    loop {
        targets.set(wiring::storage_state(&service));
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

#[async_trait]
impl Daemon for Storage {
    async fn shutdown(self) -> anyhow::Result<()> {
        self.watch.stop().await;
        self.targets.unmet("stopping");
        self.reporter.stop().await;
        self.server.shutdown(DRAIN).await;
        self.storage.close().await?;
        drop(self.health);
        Ok(())
    }
}
