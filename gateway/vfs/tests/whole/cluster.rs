//! A whole cluster in one process: the real metadata service, the real stores on simulated disks, the real client.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_cache::{BlockCache, CacheConfig};
use sluice_client::{Client, ClientConfig};
use sluice_fabric::{LocalOptions, LocalTransport};
use sluice_meta::kv::MemoryEngine;
use sluice_meta::{MetaConfig, MetaService};
use sluice_storage::{ReporterConfig, StorageService, Targets, run_reporter};
use sluice_store::simulated::SimulatedDisk;
use sluice_store::{Store, StoreConfig};
use sluice_types::{Credentials, SystemClock, SystemRng};
use sluice_vfs::{Caller, Vfs, VfsConfig};
use tokio_util::task::AbortOnDropHandle;

use crate::common::{Gateway, SeededRng, TARGETS};

/// The cluster.
pub struct Whole {
    pub meta: Arc<MetaService>,
    disks: Vec<SimulatedDisk>,
    transport: Arc<LocalTransport>,
    /// The service, and what reports it.
    storage: Mutex<Option<(Arc<StorageService>, AbortOnDropHandle<()>)>>,
}

impl Whole {
    pub async fn new() -> Self {
        let config = MetaConfig {
            initial_targets: TARGETS,
            target_silence_max: Duration::from_secs(1000),
            ..MetaConfig::default()
        };
        let (engine, clock) = (Arc::new(MemoryEngine::new()), Arc::new(SystemClock::new()));
        let rng = SeededRng::new(1);
        let meta = MetaService::open(engine, config, clock.clone(), rng);
        let whole = Self {
            meta: meta.await.unwrap(),
            disks: (0..TARGETS)
                .map(|_| SimulatedDisk::new(256 << 20))
                .collect(),
            transport: Arc::new(LocalTransport::new(LocalOptions::default(), clock)),
            storage: Mutex::default(),
        };
        whole.start_storage().await;
        whole
    }

    async fn start_storage(&self) {
        let mut stores = Vec::new();
        for (index, disk) in self.disks.iter().enumerate() {
            let config = StoreConfig {
                slab_bytes: 16 << 20,
                log_segment_bytes: 4 << 20,
                reserve_bytes: 0,
                ..StoreConfig::default()
            };
            let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
            let store = Store::open(disk.device(), config, clock, rng).await;
            stores.push((PathBuf::from(format!("disk-{index}")), store.unwrap()));
        }
        let targets = Targets::from_stores(stores).await.unwrap();
        let storage = StorageService::new(Arc::new(targets));
        storage.report(&*self.meta, "").await.unwrap();
        self.transport.register("", storage.clone());
        let config = ReporterConfig {
            address: String::new(),
            interval: Duration::from_secs(1),
        };
        let reporting = run_reporter(storage.clone(), self.meta.clone(), config);
        let reporting = AbortOnDropHandle::new(tokio::spawn(reporting));
        *self.storage.lock() = Some((storage, reporting));
    }

    /// Cuts the power of all disks and starts storage again.
    pub async fn crash_storage(&self, seed: u64) {
        self.transport.unregister("");
        for (disk, seed) in self.disks.iter().zip(seed..) {
            disk.crash(seed);
        }
        *self.storage.lock() = None;
        self.start_storage().await;
    }

    /// A gateway with a session of its own.
    pub async fn gateway(&self, config: VfsConfig, directory: Option<PathBuf>) -> Gateway {
        let client = ClientConfig {
            deadline: Duration::from_secs(5),
            instance: "test".into(),
            holds_leases: true,
            ..ClientConfig::default()
        };
        let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
        let meta = self.meta.clone();
        let client = Client::connect(meta, self.transport.clone(), client, clock.clone(), rng);
        let client = client.await.unwrap();
        let cache = CacheConfig {
            file_system: client.map().file_system,
            memory_bytes: 16 << 20,
            directory,
            directory_bytes: 64 << 20,
        };
        let cache = BlockCache::open(cache).await.unwrap();
        let vfs = Vfs::open(client, Arc::clone(&cache), config, clock)
            .await
            .unwrap();
        let caller = Caller::new(Credentials::root());
        Gateway { vfs, caller, cache }
    }
}
