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

pub use model::{Model, step};

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

/// A chunk as its target has it.
#[derive(Clone, Debug, Default)]
struct Chunk {
    durable: Vec<u8>,
    live: Vec<u8>,
}

fn put(bytes: &mut Vec<u8>, start: usize, data: &[u8]) {
    if bytes.len() < start + data.len() {
        bytes.resize(start + data.len(), 0);
    }
    bytes[start..start + data.len()].copy_from_slice(data);
}

/// Holds something back until it is let go.
#[derive(Debug, Default)]
pub struct Gate {
    next: Mutex<Option<&'static str>>,
    holds: AtomicBool,
    open: tokio::sync::Notify,
}

impl Gate {
    /// Holds the next of this name back.
    pub fn hold_next(&self, name: &'static str) {
        *self.next.lock() = Some(name);
    }

    /// Waits until it is being held.
    pub async fn held(&self) {
        while !self.holds.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub fn let_go(&self) {
        self.open.notify_one();
    }

    async fn pass(&self, name: &'static str) {
        if self.next.lock().take_if(|next| *next == name).is_some() {
            self.holds.store(true, Ordering::SeqCst);
            self.open.notified().await;
            self.holds.store(false, Ordering::SeqCst);
        }
    }
}

/// The storage targets.
#[derive(Debug)]
pub struct Storage {
    map: Arc<ClusterMap>,
    chunks: Mutex<BTreeMap<(InodeId, ChunkIndex), Chunk>>,
    boots: Mutex<HashMap<TargetId, BootId>>,
    /// No target answers.
    pub unreachable: AtomicBool,
    /// How many requests found no answer, and how long each waited for it.
    pub refusals: AtomicUsize,
    pub refusal_wait: Mutex<Duration>,
    /// Targets that do not say how they are.
    pub silent: Mutex<HashSet<TargetId>>,
    /// The next write fails halfway with this.
    pub fail_write: Mutex<Option<FsError>>,
    /// Writes wait until told to go on.
    pub stall: tokio::sync::RwLock<()>,
    pub writes_in_flight: AtomicUsize,
    /// Commits that are done, to be answered.
    pub commit_replies: Gate,
    /// Commits find no target.
    pub commits_unanswered: AtomicBool,
    pub reads: AtomicUsize,
    pub commits: AtomicUsize,
    pub truncations: AtomicUsize,
}

impl Storage {
    fn new() -> Arc<Self> {
        let target = |number| Target {
            id: TargetId::new(number),
            uuid: TargetUuid::new(u128::from(number)),
            address: String::new(),
            state: TargetState::Online,
        };
        let group = |number| PlacementGroup {
            id: GroupId::new(number),
            replicas: vec![TargetId::new(number % TARGETS + 1)],
        };
        let map = ClusterMap {
            version: MapVersion::new(1),
            file_system: FileSystemId::new(99),
            targets: (1..=TARGETS).map(target).collect(),
            groups: (0..TARGETS * 2).map(group).collect(),
        };
        let boots = (1..=TARGETS).map(|number| (TargetId::new(number), BootId::new(1)));
        Arc::new(Self {
            map: Arc::new(map),
            chunks: Mutex::default(),
            boots: Mutex::new(boots.collect()),
            unreachable: AtomicBool::new(false),
            refusals: AtomicUsize::new(0),
            refusal_wait: Mutex::default(),
            silent: Mutex::default(),
            fail_write: Mutex::default(),
            stall: tokio::sync::RwLock::default(),
            writes_in_flight: AtomicUsize::new(0),
            commit_replies: Gate::default(),
            commits_unanswered: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            truncations: AtomicUsize::new(0),
        })
    }

    /// Kills a target and starts it again: what was unstable on it is lost.
    pub fn crash(&self, target: TargetId) {
        let mut boots = self.boots.lock();
        let boot = boots.get_mut(&target).expect("a known target");
        *boot = BootId::new(boot.raw() + 1);
        for ((_, index), chunk) in self.chunks.lock().iter_mut() {
            if self.target_of(&layout(), *index) == target {
                chunk.live = chunk.durable.clone();
            }
        }
    }

    pub fn crash_all(&self) {
        for number in 1..=TARGETS {
            self.crash(TargetId::new(number));
        }
    }

    /// Bytes that storage has of a file, in whatever state.
    pub fn bytes_of(&self, inode: InodeId) -> usize {
        let chunks = self.chunks.lock();
        let of_file = chunks.iter().filter(|((owner, _), _)| *owner == inode);
        of_file.map(|(_, chunk)| chunk.live.len()).sum()
    }

    fn target_of(&self, layout: &Layout, index: ChunkIndex) -> TargetId {
        // All test files have one layout but for the seed, which is left out so that a crash finds its chunks.
        let layout = Layout {
            placement_seed: 0,
            ..*layout
        };
        let group = layout.group_of(index, self.map.groups.len());
        self.map.group(group).expect("a known group").replicas[0]
    }

    fn verifier_of(&self) -> WriteVerifier {
        let boots = self.boots.lock();
        WriteVerifier::of(boots.iter().map(|(target, boot)| (*target, *boot)))
    }

    async fn answer(&self) -> Result<(), FsError> {
        self.answer_if(!self.unreachable.load(Ordering::SeqCst))
            .await
    }

    async fn answer_if(&self, reachable: bool) -> Result<(), FsError> {
        tokio::task::yield_now().await;
        if !reachable {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            let wait = *self.refusal_wait.lock();
            tokio::time::sleep(wait).await;
            return Err(FsError::Unavailable);
        }
        Ok(())
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

/// A gateway's way to the cluster.
struct Link {
    storage: Arc<Storage>,
    meta: Arc<dyn Metadata>,
    session: SessionId,
}

#[async_trait]
impl Backend for Link {
    fn meta(&self) -> &Arc<dyn Metadata> {
        &self.meta
    }

    fn session(&self) -> SessionId {
        self.session
    }

    fn map(&self) -> Arc<ClusterMap> {
        Arc::clone(&self.storage.map)
    }

    async fn read(
        &self,
        inode: InodeId,
        layout: &Layout,
        range: ByteRange,
    ) -> Result<Payload, FsError> {
        self.storage.answer().await?;
        self.storage.reads.fetch_add(1, Ordering::SeqCst);
        let mut bytes = vec![0; range.length() as usize];
        for piece in layout.pieces(range) {
            let chunks = self.storage.chunks.lock();
            let Some(chunk) = chunks.get(&(inode, piece.chunk)) else {
                continue;
            };
            let start = (piece.range.start as usize).min(chunk.live.len());
            let end = (piece.range.end() as usize).min(chunk.live.len());
            let at = piece.offset_in_range;
            bytes[at..at + end - start].copy_from_slice(&chunk.live[start..end]);
        }
        tokio::task::yield_now().await;
        Ok(bytes.into())
    }

    async fn write(
        &self,
        inode: InodeId,
        layout: &Layout,
        offset: u64,
        payload: Payload,
        stability: Stability,
    ) -> Result<WriteReceipt, FsError> {
        let storage = &self.storage;
        storage.writes_in_flight.fetch_add(1, Ordering::SeqCst);
        let stall = storage.stall.read().await;
        drop(stall);
        storage.writes_in_flight.fetch_sub(1, Ordering::SeqCst);
        storage.answer().await?;
        let failure = storage.fail_write.lock().take();
        let range = ByteRange::new(offset, payload.len() as u64)?;
        let mut targets = Vec::new();
        for piece in layout.pieces(range) {
            let length = piece.range.length as usize;
            let data = payload.slice(piece.offset_in_range, length).to_contiguous();
            let mut chunks = storage.chunks.lock();
            let chunk = chunks.entry((inode, piece.chunk)).or_default();
            let start = piece.range.start as usize;
            put(&mut chunk.live, start, &data);
            if stability != Stability::Unstable {
                put(&mut chunk.durable, start, &data);
            }
            targets.push(storage.target_of(layout, piece.chunk));
        }
        tokio::task::yield_now().await;
        match failure {
            Some(error) => Err(error),
            None => Ok(WriteReceipt {
                targets,
                verifier: storage.verifier_of(),
            }),
        }
    }

    async fn commit(
        &self,
        inode: InodeId,
        layout: &Layout,
        scope: CommitScope,
    ) -> Result<CommitReceipt, FsError> {
        let storage = &self.storage;
        storage.answer().await?;
        let answered = !storage.commits_unanswered.load(Ordering::SeqCst);
        storage.answer_if(answered).await?;
        storage.commits.fetch_add(1, Ordering::SeqCst);
        let (mut end_bytes, mut allocated_bytes) = (0, 0);
        for ((owner, index), chunk) in storage.chunks.lock().iter_mut() {
            let target = storage.target_of(layout, *index);
            let asked = match &scope {
                CommitScope::All => true,
                CommitScope::Only(targets) => targets.contains(&target),
            };
            if *owner == inode && asked {
                chunk.durable = chunk.live.clone();
                let end = u64::from(index.raw()) * CHUNK + chunk.live.len() as u64;
                end_bytes = end_bytes.max(end);
                allocated_bytes += chunk.live.len() as u64;
            }
        }
        storage.commit_replies.pass("commit").await;
        Ok(CommitReceipt {
            verifier: storage.verifier_of(),
            end_bytes,
            allocated_bytes: (scope == CommitScope::All).then_some(allocated_bytes),
        })
    }

    async fn truncate(
        &self,
        inode: InodeId,
        layout: &Layout,
        size_bytes: u64,
    ) -> Result<(), FsError> {
        self.storage.answer().await?;
        self.storage.truncations.fetch_add(1, Ordering::SeqCst);
        let (last, length) = layout.locate(size_bytes)?;
        let mut chunks = self.storage.chunks.lock();
        chunks.retain(|(owner, index), _| *owner != inode || *index <= last);
        if let Some(chunk) = chunks.get_mut(&(inode, last)) {
            chunk.live.truncate(length as usize);
            chunk.durable.truncate(length as usize);
        }
        Ok(())
    }

    async fn verifier(&self, _layout: &Layout) -> Result<WriteVerifier, FsError> {
        Ok(self.storage.verifier_of())
    }

    async fn target_status(&self, target: TargetId) -> Result<TargetStatus, FsError> {
        if self.storage.silent.lock().contains(&target) {
            return std::future::pending().await;
        }
        self.storage.answer().await?;
        Ok(TargetStatus {
            capacity_bytes: 1000,
            used_bytes: 100,
            ..TargetStatus::default()
        })
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

    /// A gateway with a session of its own and an empty cache.
    pub async fn gateway(&self, config: VfsConfig) -> Gateway {
        let name = "test".to_owned();
        let session = SessionId::new(0);
        let open = OpenSession { session, name };
        let opened = self.meta.run(&CallContext::internal(), open).await.unwrap();
        let link = Link {
            storage: Arc::clone(&self.storage),
            meta: self.meta.clone(),
            session: opened.session,
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
