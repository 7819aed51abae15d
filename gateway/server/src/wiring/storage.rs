//! The storage targets of a process.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sluice_fabric::{Handler, LinkedNetwork, SystemNetwork, TcpServer, TcpServerOptions};
use sluice_storage::{ReporterConfig, StorageService, Targets, run_reporter};
use sluice_store::device::DeviceOptions;
use sluice_store::{FormatPolicy, StoreConfig};
use sluice_types::{SystemClock, SystemRng};
use sluice_wire::links::Links;
use sluice_wire::meta::Metadata;

use super::Background;
use crate::config::TargetConfig;
use crate::data_dir::DataDir;
use crate::explain;

/// How often a daemon reports its targets.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The targets of a process, and the locks that keep other processes off their directories.
#[derive(Debug)]
pub struct Storage {
    /// Serves them.
    pub service: Arc<StorageService>,
    _locked: Vec<DataDir>,
}

/// Whether all targets serve and the cluster knows them.
///
/// # Errors
/// Why not, in words.
pub fn storage_state(service: &StorageService) -> Result<(), String> {
    let failed = failed_targets(service);
    if !failed.is_empty() {
        return Err(failed.join("; "));
    }
    if !service.is_registered() {
        return Err(
            "not registered: the metadata service does not answer or has another cluster key (this log says so), or the \
             cluster is not formed"
                .to_owned(),
        );
    }
    Ok(())
}

/// Why targets do not serve, in words; empty if all do.
pub fn failed_targets(service: &StorageService) -> Vec<String> {
    let health = service.targets().health();
    let failed = health.into_iter().filter_map(|target| {
        let why = target.failure?;
        Some(format!("{}: {why}", target.directory.display()))
    });
    failed.collect()
}

impl Storage {
    /// Writes what is in memory, and closes.
    ///
    /// # Errors
    /// The first one met; all targets are closed all the same.
    pub async fn close(self) -> anyhow::Result<()> {
        let closed = self.service.targets().close().await;
        closed.context("a storage target could not be closed")
    }
}

/// Opens all targets, each named in metrics and logs as `label` says. `missing` is for those without a store and without a
/// uuid that says which it should be.
///
/// # Errors
/// If none can be opened. One that cannot be while others are is logged, and listed in the targets' health.
pub async fn open_storage(
    targets: &[TargetConfig],
    label: impl Fn(&Path) -> String,
    missing: FormatPolicy,
) -> anyhow::Result<Storage> {
    let lock = |target: &TargetConfig| DataDir::open(&target.dir, "target");
    let locked = targets.iter().map(lock).collect::<Result<_, _>>()?;
    let file_systems = file_systems(targets)?;
    let configs = targets.iter().zip(&file_systems).map(|(target, own)| {
        let sharing = file_systems.iter().filter(|other| *other == own).count();
        let sharing = u32::try_from(sharing).unwrap_or(u32::MAX);
        sluice_storage::TargetConfig {
            directory: target.dir.clone(),
            store: StoreConfig {
                format: format_policy(target, missing),
                ..store_config(target, label(&target.dir), sharing)
            },
            device: DeviceOptions::default(),
        }
    });
    let (clock, rng) = (SystemClock::new(), SystemRng::new());
    let targets = Targets::open(configs.collect(), Arc::new(clock), Arc::new(rng)).await?;
    Ok(Storage {
        service: StorageService::new(Arc::new(targets)),
        _locked: locked,
    })
}

/// The file system that each target's directory is on: those on the same one share its space.
fn file_systems(targets: &[TargetConfig]) -> anyhow::Result<Vec<u64>> {
    let file_system = |target: &TargetConfig| {
        let dir = &target.dir;
        std::fs::metadata(dir)
            .map(|metadata| metadata.dev())
            .map_err(|error| explain::path("cannot use the target's directory", dir, &error))
    };
    targets.iter().map(file_system).collect()
}

fn format_policy(target: &TargetConfig, missing: FormatPolicy) -> FormatPolicy {
    let expected = target.uuid.map(|uuid| FormatPolicy::Expect(uuid.uuid()));
    expected.unwrap_or(missing)
}

fn store_config(target: &TargetConfig, label: String, sharing_targets: u32) -> StoreConfig {
    let memory = target.unstable_memory.bytes_in_memory();
    let default = StoreConfig::default();
    StoreConfig {
        label,
        capacity_bytes: target.capacity.map(|capacity| capacity.bytes()),
        sharing_targets,
        dirty_bytes_max: memory,
        dirty_bytes_background: default.dirty_bytes_background.min(memory / 4),
        ..default
    }
}

/// Keeps the metadata service informed of the targets, until dropped. `address` is where others find them; empty in
/// the same process.
pub fn report_in_background(
    service: &Arc<StorageService>,
    metadata: Arc<dyn Metadata>,
    address: String,
) -> Background {
    let config = ReporterConfig {
        address,
        interval: REPORT_INTERVAL,
    };
    Background::spawn(run_reporter(Arc::clone(service), metadata, config))
}

/// Serves targets to other processes that begin as `links` says. `setting` is what changes the address.
///
/// # Errors
/// If the address cannot be listened on.
pub async fn serve_storage(
    address: SocketAddr,
    setting: &str,
    links: &Links,
    service: Arc<dyn Handler>,
) -> anyhow::Result<TcpServer> {
    let network = LinkedNetwork::new(Arc::new(SystemNetwork), links.clone());
    let clock = Arc::new(SystemClock::new());
    let options = TcpServerOptions::default();
    let server = TcpServer::start(&network, &address.to_string(), service, options, clock).await;
    server.with_context(|| {
        format!(
            "storage cannot listen on {address}: choose another address or port with {setting}, or stop what has it \
             (`ss -ltnp 'sport = :{}'`)",
            address.port()
        )
    })
}
