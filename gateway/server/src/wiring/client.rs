//! The striping client of a process, and what frees the storage of removed files.

use std::net::{IpAddr, SocketAddr};
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

/// Opens a session with a cluster that is formed, under which no leases are held. `role` names it for administrators, with
/// this machine's name.
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
    connect(metadata, transport, config).await
}

/// Opens the session of the gateway that has `port` of `address`.
///
/// # Errors
/// If the cluster does not answer in time.
pub async fn open_gateway_client(
    metadata: Arc<dyn Metadata>,
    transport: Arc<dyn Transport>,
    address: IpAddr,
    port: u16,
) -> anyhow::Result<Arc<Client>> {
    let config = ClientConfig {
        name: format!("gateway on {}", host_name()),
        instance: instance(address, port),
        holds_leases: true,
        ..ClientConfig::default()
    };
    connect(metadata, transport, config).await
}

async fn connect(
    metadata: Arc<dyn Metadata>,
    transport: Arc<dyn Transport>,
    config: ClientConfig,
) -> anyhow::Result<Arc<Client>> {
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
        loop {
            match open_client(metadata.clone(), transport.clone(), "reclaim").await {
                Ok(client) => {
                    let ended = client.session_ended();
                    reclaim::run(&client, ReclaimConfig::default(), ended).await;
                }
                Err(error) => tracing::debug!(%error, "nothing to reclaim yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
    })
}

/// Names the one process that can have this port of this machine since it was booted: when another has it, that one is
/// gone. Empty, for nobody, if the machine cannot be told from others or the port is not known yet.
fn instance(address: IpAddr, port: u16) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
    if port == 0 || boot.is_empty() {
        return String::new();
    }
    let address = SocketAddr::new(address, port);
    format!("{} {} {address}", boot.trim(), network.display())
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}
