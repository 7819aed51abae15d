//! A cluster in one process for tests of the file service: the real metadata service over its engine in memory, and
//! storage targets that are a map, forget unstable data when they crash, and fail or stall on order.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sluice_cache::{BlockCache, CacheConfig};
use sluice_client::{CommitReceipt, CommitScope, WriteReceipt};
use sluice_meta::kv::MemoryEngine;
use sluice_meta::{MetaConfig, MetaService};
use sluice_types::{
    BootId, ByteRange, ChunkIndex, ChunkSize, Clock, ClusterMap, Credentials, FileName,
    FileSystemId, FsError, GroupId, Inode, InodeId, Layout, MapVersion, Mode, Payload,
    PlacementGroup, Rng, SessionId, SetAttributes, Stability, StripeWidth, SystemClock, Target,
    TargetId, TargetState, TargetUuid, Timestamp, WriteVerifier,
};
use sluice_vfs::{Backend, Caller, ReadDone, Vfs, VfsConfig, WriteDone};
use sluice_wire::meta::{
    CallContext, CreateHow, LookupName, Metadata, MetadataExt, OpenSession, Operation, Outcome,
};
use sluice_wire::storage::TargetStatus;

mod model;
mod storage;

pub use model::{Model, step};
use storage::Link;
pub use storage::{Gate, Storage};

pub const TARGETS: u32 = 4;
pub const CHUNK: u64 = 64 * 1024;

/// SplitMix64: the same numbers for the same seed.
#[derive(Debug)]
pub struct SeededRng(AtomicU64);

impl SeededRng {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }

    pub fn below(&self, bound: u64) -> u64 {
        self.next_u64() % bound
    }
}

impl Rng for SeededRng {
    fn next_u64(&self) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A clock that stands still until it is told.
#[derive(Debug, Default)]
pub struct ManualClock(Mutex<Duration>);

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        *self.0.lock() += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(1_000_000_000, 0).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock()
    }
}

/// What files of these tests have.
pub fn layout() -> Layout {
    Layout {
        chunk_size: ChunkSize::new(CHUNK as u32).unwrap(),
        stripe_width: StripeWidth::new(8).unwrap(),
        ..Layout::DEFAULT
    }
}

/// The metadata service, counting and failing on order.
pub struct Service {
    service: Arc<MetaService>,
    pub calls: Mutex<HashMap<&'static str, usize>>,
    /// Operations of this name fail as if the reply had been lost.
    pub lose_replies_of: Mutex<Option<&'static str>>,
    /// Calls that are on their way, and replies.
    pub calls_held: Gate,
    pub replies: Gate,
    /// The next operation of this name is given up before it is carried out, and kept.
    delay: Mutex<Option<&'static str>>,
    delayed: Mutex<Option<(CallContext, Operation)>>,
}

impl Service {
    pub fn count(&self, name: &str) -> usize {
        self.calls.lock().get(name).copied().unwrap_or(0)
    }

    /// Answers the next operation of this name as if it had been lost on its way.
    pub fn delay_next(&self, name: &'static str) {
        *self.delay.lock() = Some(name);
    }

    /// Carries out the operation that was lost: it was only late.
    pub async fn run_delayed(&self) {
        let delayed = self.delayed.lock().take();
        let (context, operation) = delayed.expect("something was delayed");
        let _ = self.service.call(&context, operation).await;
    }
}

#[async_trait]
impl Metadata for Service {
    async fn call(&self, context: &CallContext, operation: Operation) -> Result<Outcome, FsError> {
        let name = operation.name();
        *self.calls.lock().entry(name).or_default() += 1;
        self.calls_held.pass(name).await;
        if self.delay.lock().take_if(|next| *next == name).is_some() {
            *self.delayed.lock() = Some((context.clone(), operation));
            return Err(FsError::Unavailable);
        }
        tokio::task::yield_now().await;
        let result = self.service.call(context, operation).await;
        tokio::task::yield_now().await;
        self.replies.pass(name).await;
        if *self.lose_replies_of.lock() == Some(name) {
            return Err(FsError::Unavailable);
        }
        result
    }
}

/// A cluster and what tests ask of it.
pub struct Cluster {
    pub storage: Arc<Storage>,
    pub meta: Arc<Service>,
    pub clock: Arc<dyn Clock>,
}

impl Cluster {
    pub async fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::new())).await
    }

    pub async fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let config = MetaConfig {
            root_layout: layout(),
            ..MetaConfig::default()
        };
        let engine = Arc::new(MemoryEngine::new());
        let rng = SeededRng::new(1);
        let service = MetaService::open(engine, config, Arc::clone(&clock), rng)
            .await
            .unwrap();
        let meta = Service {
            service,
            calls: Mutex::default(),
            lose_replies_of: Mutex::default(),
            calls_held: Gate::default(),
            replies: Gate::default(),
            delay: Mutex::default(),
            delayed: Mutex::default(),
        };
        Self {
            storage: Storage::new(),
            meta: Arc::new(meta),
            clock,
        }
    }

    /// A gateway with a session of its own and an empty cache; the one before has ended.
    pub async fn gateway(&self, config: VfsConfig) -> Gateway {
        self.gateway_of("test", config).await
    }

    /// A gateway that ends the session of any earlier one of the same instance.
    pub async fn gateway_of(&self, instance: &str, config: VfsConfig) -> Gateway {
        let open = OpenSession {
            instance: instance.to_owned(),
            holds_leases: true,
            ..OpenSession::new("test")
        };
        let opened = self.meta.run(&CallContext::internal(), open).await.unwrap();
        let link = Link {
            storage: Arc::clone(&self.storage),
            meta: self.meta.clone(),
            opened,
        };
        let cache = CacheConfig::memory_only(FileSystemId::new(99), 16 * 1024 * 1024);
        let cache = BlockCache::open(cache).await.unwrap();
        let clock = Arc::clone(&self.clock);
        let vfs = Vfs::open(Arc::new(link), Arc::clone(&cache), config, clock);
        let vfs = vfs.await.unwrap();
        let caller = Caller::new(Credentials::root());
        Gateway { vfs, caller, cache }
    }
}

/// Sessions that last: nothing happens in the background.
pub fn quiet() -> VfsConfig {
    VfsConfig {
        session_idle: Duration::from_secs(1000),
        report_interval: Duration::from_secs(1000),
        commit_idle: Duration::from_secs(1000),
        settle_failure_memory: Duration::ZERO,
        ..VfsConfig::default()
    }
}

/// Sessions that end whenever nobody looks.
pub fn restless() -> VfsConfig {
    VfsConfig {
        session_idle: Duration::from_millis(1),
        report_interval: Duration::from_millis(1),
        commit_idle: Duration::from_millis(5),
        storage_work_pause: Duration::from_millis(5),
        settle_failure_memory: Duration::ZERO,
        ..VfsConfig::default()
    }
}

/// A gateway and someone who calls it.
#[derive(Clone)]
pub struct Gateway {
    pub vfs: Arc<Vfs>,
    pub caller: Caller,
    pub cache: Arc<BlockCache>,
}

impl Gateway {
    pub fn by(&self, credentials: Credentials) -> Self {
        Self {
            vfs: Arc::clone(&self.vfs),
            caller: Caller::new(credentials),
            cache: Arc::clone(&self.cache),
        }
    }

    pub async fn make(&self, file: &str) -> Inode {
        let how = CreateHow::Guarded(SetAttributes {
            mode: Some(Mode::new(0o644)),
            ..SetAttributes::default()
        });
        let made = self
            .vfs
            .create(&self.caller, InodeId::ROOT, name(file), how);
        made.await.unwrap().node
    }

    pub async fn node(&self, inode: InodeId) -> Inode {
        self.vfs.get_node(&self.caller, inode).await.unwrap()
    }

    pub async fn find(&self, file: &str) -> Result<Inode, FsError> {
        let entry = LookupName::Name(name(file));
        let looked = self.vfs.lookup(&self.caller, InodeId::ROOT, entry).await;
        looked.map(|looked| looked.node)
    }

    pub async fn try_write(
        &self,
        inode: InodeId,
        offset: u64,
        data: &[u8],
        stability: Stability,
    ) -> Result<WriteDone, FsError> {
        let payload = data.to_vec().into();
        let write = self
            .vfs
            .write(&self.caller, inode, offset, payload, stability);
        write.await
    }

    pub async fn write(
        &self,
        inode: InodeId,
        offset: u64,
        data: &[u8],
        stability: Stability,
    ) -> WriteDone {
        let done = self
            .try_write(inode, offset, data, stability)
            .await
            .unwrap();
        assert_eq!(done.written as usize, data.len());
        done
    }

    pub async fn read(&self, inode: InodeId, offset: u64, length: u32) -> ReadDone {
        let read = self.vfs.read(&self.caller, inode, offset, length);
        read.await.unwrap()
    }

    pub async fn bytes(&self, inode: InodeId) -> Vec<u8> {
        let size = self.node(inode).await.attributes.size_bytes;
        let read = self.read(inode, 0, size as u32).await;
        assert!(read.end_of_file);
        read.payload.to_contiguous().to_vec()
    }

    pub async fn set_size(&self, inode: InodeId, size_bytes: u64) -> Result<Inode, FsError> {
        let changes = SetAttributes {
            size_bytes: Some(size_bytes),
            ..SetAttributes::default()
        };
        let set = self.vfs.set_attributes(&self.caller, inode, changes, None);
        Ok(set.await?.after)
    }

    pub async fn remove(&self, file: &str) {
        let removed = self.vfs.remove(&self.caller, InodeId::ROOT, name(file));
        removed.await.unwrap();
    }

    /// Waits until the metadata service shows no writer of the file.
    pub async fn settled(&self, cluster: &Cluster, inode: InodeId) -> Inode {
        loop {
            let get = sluice_wire::meta::GetInode { inode };
            let context = CallContext::internal();
            let node = cluster.meta.run(&context, get).await.unwrap();
            if node.writer.raw() == 0 {
                return node;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub fn name(file: &str) -> FileName {
    FileName::new(file.as_bytes().to_vec()).unwrap()
}

/// Bytes that differ from place to place and from seed to seed.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let rng = SeededRng::new(seed);
    (0..length).map(|_| rng.next_u64() as u8).collect()
}
