//! The striping client of a process, and what frees the storage of removed files.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sluice_client::reclaim::{self, ReclaimConfig};
use sluice_client::{Client, ClientConfig};
use sluice_fabric::Transport;
use sluice_types::{SystemClock, SystemRng};
use sluice_wire::meta::Metadata;

use super::Background;

/// How long to wait before a cluster that does not answer is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Opens a session with a cluster that is formed. `role` names it for administrators, with this machine's name.
///
/// # Errors
/// If the cluster does not answer in time.
pub async fn open_client(
    metadata: Arc<dyn Metadata>,
    transport: Arc<dyn Transport>,
    role: &'static str,
) -> anyhow::Result<Arc<Client>> {
    let config = ClientConfig {
        name: format!("{role} on {}", host_name()),
        ..ClientConfig::default()
    };
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    let client = Client::connect(metadata, transport, config, clock, rng).await;
    client.context("the metadata service does not answer, or its cluster is not formed")
}

/// Frees the storage of removed files, until dropped. The cluster need not be formed yet.
pub fn reclaim_in_background(
    metadata: Arc<dyn Metadata>,
    transport: Arc<dyn Transport>,
) -> Background {
    Background::spawn(async move {
        let client = loop {
            match open_client(metadata.clone(), transport.clone(), "reclaim").await {
                Ok(client) => break client,
                Err(error) => tracing::debug!(%error, "nothing to reclaim yet"),
            }
            tokio::time::sleep(RETRY).await;
        };
        let reclaiming = reclaim::run(&client, ReclaimConfig::default(), std::future::pending());
        reclaiming.await;
    })
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
