//! Storage targets that are a map, forget unstable data when they crash, and fail or stall on order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sluice_client::{CommitReceipt, CommitScope, WriteReceipt};
use sluice_types::{
    BootId, ByteRange, ChunkIndex, ClusterMap, FileSystemId, FsError, GroupId, InodeId, Layout,
    LeaseTerm, MapVersion, Payload, PlacementGroup, SessionId, Stability, Target, TargetId,
    TargetState, TargetUuid, WriteVerifier,
};
use sluice_vfs::Backend;
use sluice_wire::meta::{Metadata, SessionOpened};
use sluice_wire::storage::TargetStatus;

use super::{CHUNK, TARGETS, layout};

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

    pub(super) async fn pass(&self, name: &'static str) {
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
    /// Commits find no target, but those of these files.
    pub commits_unanswered: AtomicBool,
    pub commits_answered_of: Mutex<HashSet<InodeId>>,
    pub reads: AtomicUsize,
    pub commits: AtomicUsize,
    pub truncations: AtomicUsize,
}

impl Storage {
    pub(super) fn new() -> Arc<Self> {
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
            commits_answered_of: Mutex::default(),
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

    pub(super) async fn answer(&self) -> Result<(), FsError> {
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

/// A gateway's way to the cluster.
pub(super) struct Link {
    pub(super) storage: Arc<Storage>,
    pub(super) meta: Arc<dyn Metadata>,
    pub(super) opened: SessionOpened,
}

#[async_trait]
impl Backend for Link {
    fn meta(&self) -> &Arc<dyn Metadata> {
        &self.meta
    }

    fn session(&self) -> SessionId {
        self.opened.session
    }

    fn is_session_valid(&self) -> bool {
        true
    }

    fn has_session_ended(&self) -> bool {
        false
    }

    fn lease_term(&self) -> LeaseTerm {
        self.opened.term
    }

    async fn renew_session(&self) -> Result<(), FsError> {
        Ok(())
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
        let answered = !storage.commits_unanswered.load(Ordering::SeqCst)
            || storage.commits_answered_of.lock().contains(&inode);
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
