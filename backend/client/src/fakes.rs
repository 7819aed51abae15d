//! Stand-ins for storage and the metadata service, in memory, that fail when told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sluice_fabric::{CancellationToken, Handler, LocalOptions, LocalTransport, Reply, Request};
use sluice_types::{
    Attributes, BootId, ChunkId, ChunkIndex, ChunkSize, ClusterMap, DataVersion, Device,
    FenceEpoch, FileKind, FileSystemId, FsError, Generation, GroupId, Inode, InodeId, Layout,
    LeaseTerm, MapVersion, Mode, Payload, PlacementGroup, ReplicaCount, Rng, SessionId, Stability,
    StripeWidth, SystemClock, Target, TargetId, TargetState, TargetUuid, Timestamp,
};
use sluice_wire::meta::{
    CallContext, Done, InodeList, Metadata, MetadataProblems, Operation, Outcome, Removal,
    RemovalFound, Removals, SessionOpened,
};
use sluice_wire::storage::{
    ChunkStatus, FileStatus, StorageOperation, StorageOutcome, StorageReply, TargetStatus,
};
use tokio::sync::Barrier;

use crate::{Client, ClientConfig};

pub(crate) const TARGETS: u32 = 4;
const GROUPS: u32 = 8;

pub(crate) fn inode(raw: u64) -> InodeId {
    InodeId::new(raw).unwrap()
}

pub(crate) fn target(raw: u32) -> TargetId {
    TargetId::new(raw)
}

pub(crate) fn layout(width: u32, seed: u32) -> Layout {
    Layout {
        chunk_size: ChunkSize::new(ChunkSize::MIN_BYTES).unwrap(),
        stripe_width: StripeWidth::new(width).unwrap(),
        replicas: ReplicaCount::ONE,
        placement_seed: seed,
    }
}

/// A map of [`TARGETS`] targets at `address`, numbered from 1.
pub(crate) fn map(version: u64, address: &str) -> ClusterMap {
    let targets = (1..=TARGETS).map(|id| Target {
        id: target(id),
        uuid: TargetUuid::new(id.into()),
        address: address.to_owned(),
        state: TargetState::Online,
    });
    let groups = (0..GROUPS).map(|id| PlacementGroup {
        id: GroupId::new(id),
        replicas: vec![target(id % TARGETS + 1)],
    });
    ClusterMap {
        version: MapVersion::new(version),
        file_system: FileSystemId::new(1),
        targets: targets.collect(),
        groups: groups.collect(),
    }
}

/// Pseudo-random numbers from a seed.
#[derive(Debug)]
pub(crate) struct SeededRng(AtomicU64);

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        (self.next_u64() >> 11) % bound
    }
}

impl Rng for SeededRng {
    fn next_u64(&self) -> u64 {
        // splitmix64
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[derive(Default)]
pub(crate) struct FakeTarget {
    pub(crate) boot: u64,
    pub(crate) durable: BTreeMap<ChunkId, Vec<u8>>,
    /// Whole chunks as they will be when committed.
    pub(crate) unstable: BTreeMap<ChunkId, Vec<u8>>,
    /// What the next requests get instead of being carried out.
    pub(crate) failures: Vec<FsError>,
    pub(crate) problems: Vec<String>,
}

impl FakeTarget {
    fn chunk(&self, chunk: ChunkId) -> Vec<u8> {
        let contents = self
            .unstable
            .get(&chunk)
            .or_else(|| self.durable.get(&chunk));
        contents.cloned().unwrap_or_default()
    }

    fn commit(&mut self, inode: InodeId) {
        let all = std::mem::take(&mut self.unstable);
        let (of_it, others) = all.into_iter().partition(|(chunk, _)| chunk.inode == inode);
        self.unstable = others;
        self.durable.extend::<BTreeMap<_, _>>(of_it);
    }

    fn status(&self, inode: InodeId) -> FileStatus {
        let of_it = self.durable.iter().chain(&self.unstable);
        let of_it = of_it.filter(|(chunk, _)| chunk.inode == inode);
        let end = of_it
            .map(|(chunk, bytes)| (chunk.index, bytes.len() as u32))
            .max();
        let durable = self
            .durable
            .iter()
            .filter(|(chunk, _)| chunk.inode == inode);
        FileStatus {
            end,
            allocated_bytes: durable.map(|(_, bytes)| bytes.len() as u64).sum(),
        }
    }

    fn list(&self, after: Option<ChunkId>, limit: u32) -> StorageOutcome {
        let rest = self
            .durable
            .iter()
            .filter(|(chunk, _)| Some(**chunk) > after);
        let status = |(chunk, bytes): (&ChunkId, &Vec<u8>)| ChunkStatus {
            chunk: *chunk,
            length: bytes.len() as u32,
            version: 1,
            allocated_bytes: bytes.len() as u64,
        };
        // Short pages, so that paging is tested.
        let limit = (limit as usize).min(3);
        let chunks: Vec<_> = rest.clone().take(limit).map(status).collect();
        let end = rest.count() <= limit;
        StorageOutcome::List { chunks, end }
    }
}

pub(crate) struct FakeStorage {
    pub(crate) targets: Mutex<BTreeMap<TargetId, FakeTarget>>,
    pub(crate) map_version: AtomicU64,
    pub(crate) requests: Mutex<Vec<(TargetId, &'static str)>>,
    running: AtomicUsize,
    pub(crate) running_max: AtomicUsize,
    /// Targets that take requests and never answer.
    pub(crate) silent: Mutex<BTreeSet<TargetId>>,
    /// Reads are answered when so many are there at once.
    pub(crate) reads_together: Mutex<Option<Arc<Barrier>>>,
}

impl FakeStorage {
    fn new() -> Arc<Self> {
        let fresh = |id| {
            (
                target(id),
                FakeTarget {
                    boot: 100 + u64::from(id),
                    ..FakeTarget::default()
                },
            )
        };
        Arc::new(Self {
            targets: Mutex::new((1..=TARGETS).map(fresh).collect()),
            map_version: AtomicU64::new(1),
            requests: Mutex::default(),
            running: AtomicUsize::new(0),
            running_max: AtomicUsize::new(0),
            silent: Mutex::default(),
            reads_together: Mutex::default(),
        })
    }

    /// Does something to one target.
    pub(crate) fn with<R>(&self, id: u32, act: impl FnOnce(&mut FakeTarget) -> R) -> R {
        act(self.targets.lock().get_mut(&target(id)).unwrap())
    }

    /// A target dies and comes back.
    pub(crate) fn restart(&self, id: u32) {
        self.with(id, |target| {
            target.unstable.clear();
            target.boot += 1000;
        });
    }

    pub(crate) fn fail(&self, id: u32, error: FsError, times: usize) {
        self.with(id, |target| target.failures = vec![error; times]);
    }

    pub(crate) fn count(&self, operation: &str) -> usize {
        self.requests
            .lock()
            .iter()
            .filter(|(_, name)| *name == operation)
            .count()
    }

    fn carry_out(&self, request: Request) -> Reply {
        let header = request.header;
        self.requests
            .lock()
            .push((header.target, header.operation.name()));
        let mut targets = self.targets.lock();
        let Some(target) = targets.get_mut(&header.target) else {
            return reply(0, Err(FsError::Unavailable), Payload::new());
        };
        let current = MapVersion::new(self.map_version.load(Ordering::SeqCst));
        if header.map_version < current {
            return reply(target.boot, Err(FsError::MapOutdated), Payload::new());
        }
        if let Some(error) = target.failures.pop() {
            return reply(target.boot, Err(error), Payload::new());
        }
        let (outcome, payload) = outcome(target, &header.operation, &request.payload);
        reply(target.boot, outcome, payload)
    }
}

fn reply(boot: u64, result: Result<StorageOutcome, FsError>, payload: Payload) -> Reply {
    let boot = BootId::new(boot);
    Reply {
        header: StorageReply { boot, result },
        payload,
    }
}

fn outcome(
    target: &mut FakeTarget,
    operation: &StorageOperation,
    payload: &Payload,
) -> (Result<StorageOutcome, FsError>, Payload) {
    let mut bytes = Payload::new();
    let outcome = match operation.clone() {
        StorageOperation::Write {
            chunk,
            range,
            stability,
        } => {
            let mut contents = target.chunk(chunk);
            let (start, end) = (range.start as usize, range.end() as usize);
            contents.resize(contents.len().max(end), 0);
            payload.copy_to(&mut contents[start..end]);
            match stability {
                Stability::Unstable => target.unstable.insert(chunk, contents),
                Stability::DataSync | Stability::FileSync => {
                    target.unstable.remove(&chunk);
                    target.durable.insert(chunk, contents)
                }
            };
            StorageOutcome::Written
        }
        StorageOperation::Read { chunk, range } => {
            let contents = Payload::from(target.chunk(chunk));
            bytes = contents.slice(range.start as usize, range.length as usize);
            StorageOutcome::Read
        }
        StorageOperation::Commit { inode } => {
            target.commit(inode);
            StorageOutcome::Committed(target.status(inode))
        }
        StorageOperation::Truncate {
            inode,
            chunk,
            length,
        } => {
            target.commit(inode);
            let id = ChunkId {
                inode,
                index: chunk,
            };
            let gone = |other: &ChunkId| {
                other.inode == inode && (other.index > chunk || *other == id && length == 0)
            };
            target.durable.retain(|other, _| !gone(other));
            if let Some(contents) = target.durable.get_mut(&id) {
                contents.truncate(length as usize);
            }
            StorageOutcome::Truncated
        }
        StorageOperation::Remove { inode } => {
            target.durable.retain(|chunk, _| chunk.inode != inode);
            target.unstable.retain(|chunk, _| chunk.inode != inode);
            StorageOutcome::Removed
        }
        StorageOperation::FileStatus { inode } => StorageOutcome::FileStatus(target.status(inode)),
        StorageOperation::List { after, limit } => target.list(after, limit),
        StorageOperation::TargetStatus => StorageOutcome::TargetStatus(TargetStatus::default()),
        StorageOperation::Check => StorageOutcome::Check(target.problems.clone()),
        StorageOperation::Scrub { .. } => return (Err(FsError::NotSupported), bytes),
    };
    (Ok(outcome), bytes)
}

#[async_trait]
impl Handler for FakeStorage {
    async fn handle(&self, request: Request, _: CancellationToken) -> Reply {
        if self.silent.lock().contains(&request.header.target) {
            return std::future::pending().await;
        }
        let together = self.reads_together.lock().clone();
        if let (Some(together), "Read") = (together, request.header.operation.name()) {
            together.wait().await;
        }
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(running, Ordering::SeqCst);
        // Lets others begin, and orders replies by chance.
        for _ in 0..running % 4 {
            tokio::task::yield_now().await;
        }
        let reply = self.carry_out(request);
        self.running.fetch_sub(1, Ordering::SeqCst);
        reply
    }
}

pub(crate) struct FakeMeta {
    pub(crate) map: Mutex<ClusterMap>,
    pub(crate) nodes: Mutex<BTreeMap<InodeId, Inode>>,
    pub(crate) removals: Mutex<Vec<Removal>>,
    pub(crate) problems: Mutex<Vec<String>>,
    pub(crate) sessions: Mutex<BTreeSet<SessionId>>,
    pub(crate) calls: AtomicUsize,
    /// Calls that get [`FsError::Unavailable`] first.
    pub(crate) failures: AtomicUsize,
}

impl FakeMeta {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            map: Mutex::new(map(1, "")),
            nodes: Mutex::default(),
            removals: Mutex::default(),
            problems: Mutex::default(),
            sessions: Mutex::default(),
            calls: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
        })
    }

    /// Adds a regular file.
    pub(crate) fn add_file(&self, raw: u64, layout: Layout, size_bytes: u64) {
        self.nodes
            .lock()
            .insert(inode(raw), node(raw, layout, size_bytes));
    }

    fn session(&self, session: SessionId) -> Result<Outcome, FsError> {
        let mut sessions = self.sessions.lock();
        let session = if session == SessionId::new(0) {
            let last = sessions.last().map_or(0, |last| last.raw());
            SessionId::new(last + 1)
        } else if sessions.contains(&session) {
            session
        } else {
            return Err(FsError::SessionLapsed);
        };
        sessions.insert(session);
        let map_version = self.map.lock().version;
        Ok(Outcome::OpenSession(SessionOpened {
            session,
            lifetime_ms: 5000,
            map_version,
            fence_epoch: FenceEpoch::new(sessions.len() as u64),
            term: LeaseTerm::new(0),
        }))
    }

    fn list(&self, after: Option<InodeId>, limit: u32) -> Outcome {
        let nodes = self.nodes.lock();
        let rest = nodes.values().filter(|node| Some(node.id) > after);
        let limit = (limit as usize).min(3);
        let listed: Vec<_> = rest.clone().take(limit).cloned().collect();
        let end = rest.count() <= limit;
        Outcome::ListInodes(InodeList { nodes: listed, end })
    }
}

#[async_trait]
impl Metadata for FakeMeta {
    async fn call(&self, _context: &CallContext, operation: Operation) -> Result<Outcome, FsError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let left = |left: usize| left.checked_sub(1);
        if self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
            .is_ok()
        {
            return Err(FsError::Unavailable);
        }
        match operation {
            Operation::GetMap(_) => Ok(Outcome::GetMap(self.map.lock().clone())),
            Operation::OpenSession(open) => self.session(open.session),
            Operation::GetInode(get) => {
                let node = self.nodes.lock().get(&get.inode).cloned();
                node.map(Outcome::GetInode).ok_or(FsError::Stale)
            }
            Operation::ListInodes(list) => Ok(self.list(list.after, list.limit)),
            Operation::ListRemovals(list) => {
                let removals = self.removals.lock();
                let place = removals
                    .iter()
                    .position(|removal| Some(removal.inode) == list.after);
                let from = place.map_or(0, |place| place + 1);
                let removals = removals[from..].iter().take(list.limit as usize);
                let removals = removals.copied().collect();
                Ok(Outcome::ListRemovals(Removals { removals }))
            }
            Operation::FinishRemovals(finish) => {
                let mut removals = self.removals.lock();
                removals.retain(|removal| !finish.inodes.contains(&removal.inode));
                Ok(Outcome::FinishRemovals(Done))
            }
            Operation::FindRemoval(find) => {
                let removals = self.removals.lock();
                let queued = removals.iter().any(|removal| removal.inode == find.inode);
                Ok(Outcome::FindRemoval(RemovalFound { queued }))
            }
            Operation::CheckMetadata(_) => {
                let problems = self.problems.lock().clone();
                Ok(Outcome::CheckMetadata(MetadataProblems { problems }))
            }
            _ => Err(FsError::NotSupported),
        }
    }
}

pub(crate) fn node(raw: u64, layout: Layout, size_bytes: u64) -> Inode {
    Inode {
        id: inode(raw),
        generation: Generation::new(1),
        attributes: Attributes {
            kind: FileKind::Regular,
            mode: Mode::new(0o644),
            link_count: 1,
            uid: 0,
            gid: 0,
            size_bytes,
            used_bytes: 0,
            device: Device::default(),
            accessed: Timestamp::default(),
            modified: Timestamp::default(),
            changed: Timestamp::default(),
        },
        parent: inode(raw),
        layout,
        data_version: DataVersion::new(1),
        writer: SessionId::new(0),
        pending_trim: None,
    }
}

/// A client and what it talks to.
pub(crate) struct Cluster {
    pub(crate) client: Arc<Client>,
    pub(crate) storage: Arc<FakeStorage>,
    pub(crate) meta: Arc<FakeMeta>,
    pub(crate) transport: Arc<LocalTransport>,
}

pub(crate) fn config() -> ClientConfig {
    ClientConfig {
        name: "test".into(),
        deadline: Duration::from_secs(5),
        renewal_interval: Duration::from_millis(10),
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(10),
        ..ClientConfig::default()
    }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_with(config()).await
    }

    pub(crate) async fn start_with(config: ClientConfig) -> Self {
        let (storage, meta) = (FakeStorage::new(), FakeMeta::new());
        let clock = Arc::new(SystemClock::new());
        let transport = LocalTransport::new(LocalOptions::default(), Arc::clone(&clock) as _);
        transport.register("", Arc::clone(&storage) as _);
        let transport = Arc::new(transport);
        let rng = Arc::new(SeededRng::new(1));
        let (to_meta, to_storage) = (Arc::clone(&meta) as _, Arc::clone(&transport) as _);
        let client = Client::connect(to_meta, to_storage, config, clock, rng)
            .await
            .unwrap();
        Self {
            client,
            storage,
            meta,
            transport,
        }
    }

    /// A chunk's contents on a target, placed there directly.
    pub(crate) fn place(&self, id: u32, file: u64, index: u32, length: usize) {
        let chunk = ChunkId {
            inode: inode(file),
            index: ChunkIndex::new(index),
        };
        self.storage
            .with(id, |target| target.durable.insert(chunk, vec![1; length]));
    }
}
