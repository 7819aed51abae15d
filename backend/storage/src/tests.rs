//! A daemon over simulated disks, with a metadata service that only numbers targets.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use sluice_fabric::{CancellationToken, Handler as _, Reply, Request};
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_store::{Store, StoreConfig};
use sluice_types::{
    BootId, ChunkId, ChunkIndex, ChunkRange, ClusterMap, FenceEpoch, FileSystemId, FsError,
    InodeId, LiveSessions, MapVersion, Payload, SessionId, Stability, SystemClock, SystemRng,
    TargetId,
};
use sluice_wire::meta::{CallContext, Metadata, Operation, Outcome, RegisterTargets, Registered};
use sluice_wire::storage::{FileStatus, StorageOperation, StorageOutcome, StorageRequest};

use crate::{StorageError, StorageService, TargetConfig, Targets};

/// Numbers targets from 1 in the order they come, and keeps what was reported.
struct Numbering {
    reports: Mutex<Vec<RegisterTargets>>,
    /// Of the map; `None`: it is not formed.
    file_system: Option<u64>,
    sessions: Mutex<LiveSessions>,
}

impl Numbering {
    fn of(file_system: Option<u64>) -> Self {
        Self {
            reports: Mutex::default(),
            file_system,
            sessions: Mutex::default(),
        }
    }

    fn map(&self) -> Option<ClusterMap> {
        let file_system = FileSystemId::new(self.file_system?);
        Some(ClusterMap {
            version: MapVersion::new(7),
            file_system,
            ..ClusterMap::default()
        })
    }

    fn reported_targets(&self) -> Vec<usize> {
        let reports = self.reports.lock();
        reports.iter().map(|report| report.targets.len()).collect()
    }
}

#[async_trait]
impl Metadata for Numbering {
    async fn call(&self, _: &CallContext, operation: Operation) -> Result<Outcome, FsError> {
        let report = match operation {
            Operation::RegisterTargets(report) => report,
            Operation::GetMap(_) => {
                return self.map().map(Outcome::GetMap).ok_or(FsError::Unavailable);
            }
            _ => return Err(FsError::NotSupported),
        };
        let numbers = (1..)
            .take(report.targets.len())
            .map(TargetId::new)
            .collect();
        self.reports.lock().push(report);
        Ok(Outcome::RegisterTargets(Registered {
            targets: numbers,
            map: self.map(),
            sessions: self.sessions.lock().clone(),
        }))
    }
}

async fn simulated_store(disk: &SimulatedDisk) -> Arc<Store> {
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    let opened = Store::open(disk.device(), small_store(), clock, rng).await;
    opened.expect("an empty simulated disk becomes a store")
}

fn small_store() -> StoreConfig {
    StoreConfig {
        slab_bytes: 4 << 20,
        log_segment_bytes: 4 << 20,
        reserve_bytes: 0,
        ..StoreConfig::default()
    }
}

async fn service_on(disks: &[SimulatedDisk]) -> Arc<StorageService> {
    let mut stores = Vec::new();
    for (index, disk) in disks.iter().enumerate() {
        let store = simulated_store(disk).await;
        stores.push((PathBuf::from(format!("disk-{index}")), store));
    }
    let targets = Targets::from_stores(stores)
        .await
        .expect("distinct targets");
    StorageService::new(Arc::new(targets))
}

async fn registered_service(targets: usize) -> (Arc<StorageService>, Arc<Numbering>) {
    let disks: Vec<_> = (0..targets).map(|_| SimulatedDisk::new(64 << 20)).collect();
    let service = service_on(&disks).await;
    let numbering = Arc::new(Numbering::of(Some(42)));
    assert!(!service.is_registered());
    service
        .report(numbering.as_ref(), "here:1")
        .await
        .expect("a report");
    assert!(service.is_registered());
    (service, numbering)
}

fn request(target: u32, map_version: u64, operation: StorageOperation) -> Request {
    Request {
        header: StorageRequest {
            target: TargetId::new(target),
            map_version: MapVersion::new(map_version),
            session: SessionId::new(0),
            fence_epoch: FenceEpoch::new(0),
            operation,
        },
        payload: Payload::new(),
    }
}

fn chunk() -> ChunkId {
    ChunkId {
        inode: InodeId::ROOT,
        index: ChunkIndex::new(3),
    }
}

fn write(target: u32, data: &[u8]) -> Request {
    let range = ChunkRange {
        start: 100,
        length: data.len() as u32,
    };
    let operation = StorageOperation::Write {
        chunk: chunk(),
        range,
        stability: Stability::Unstable,
    };
    let mut request = request(target, 7, operation);
    request.payload = Payload::from(data.to_vec());
    request
}

fn read(target: u32, length: u32) -> Request {
    let range = ChunkRange { start: 0, length };
    let chunk = chunk();
    request(target, 7, StorageOperation::Read { chunk, range })
}

/// Asks as one who waits for the reply.
async fn handle(service: &StorageService, request: Request) -> Reply {
    service.handle(request, CancellationToken::new()).await
}

fn outcome(reply: &Reply) -> &StorageOutcome {
    reply.header.result.as_ref().expect("the request succeeds")
}

#[tokio::test]
async fn a_request_reaches_the_target_it_asks_for_and_no_other() {
    let (service, _) = registered_service(2).await;
    assert_eq!(
        outcome(&handle(&service, write(2, b"hello")).await),
        &StorageOutcome::Written
    );
    let there = handle(&service, read(2, 1000)).await;
    assert_eq!(there.payload.to_contiguous()[100..], b"hello"[..]);
    let elsewhere = handle(&service, read(1, 1000)).await;
    assert!(elsewhere.payload.is_empty());
    assert_ne!(there.header.boot, elsewhere.header.boot);
    let commit = StorageOperation::Commit {
        inode: InodeId::ROOT,
    };
    let committed = handle(&service, request(2, 7, commit)).await;
    let end = Some((ChunkIndex::new(3), 105));
    assert!(
        matches!(outcome(&committed), StorageOutcome::Committed(FileStatus { end: found, .. }) if *found == end)
    );
    assert_eq!(
        outcome(&handle(&service, request(2, 7, StorageOperation::Check)).await),
        &StorageOutcome::Check(vec![])
    );
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_begun() {
    let (service, _) = registered_service(1).await;
    let given_up = CancellationToken::new();
    given_up.cancel();
    let late = service.handle(write(1, b"late"), given_up).await;
    assert_eq!(late.header.result, Err(FsError::Unavailable));
    assert!(handle(&service, read(1, 1000)).await.payload.is_empty());
}

#[tokio::test]
async fn an_unknown_target_an_old_map_and_a_wrong_length_are_refused() {
    let (service, _) = registered_service(1).await;
    let unknown = handle(&service, read(9, 1)).await;
    assert_eq!(unknown.header.result, Err(FsError::Unavailable));
    assert_eq!(unknown.header.boot, BootId::default());
    let old = handle(&service, request(1, 6, StorageOperation::TargetStatus)).await;
    assert_eq!(old.header.result, Err(FsError::MapOutdated));
    for whatever_the_map in [0, 7, 8] {
        let status = request(1, whatever_the_map, StorageOperation::TargetStatus);
        assert!(matches!(
            outcome(&handle(&service, status).await),
            StorageOutcome::TargetStatus(_)
        ));
    }
    let mut short = write(1, b"hello");
    short.payload = Payload::from(b"hell".to_vec());
    assert_eq!(
        handle(&service, short).await.header.result,
        Err(FsError::Invalid)
    );
}

#[tokio::test]
async fn a_page_of_chunks_says_whether_more_follow() {
    let (service, _) = registered_service(1).await;
    handle(&service, write(1, b"hello")).await;
    let page = |after, limit| request(1, 0, StorageOperation::List { after, limit });
    let first = handle(&service, page(None, 1)).await;
    let StorageOutcome::List { chunks, end } = outcome(&first) else {
        panic!("a list was asked for");
    };
    assert_eq!((chunks.len(), chunks[0].chunk, *end), (1, chunk(), false));
    let second = handle(&service, page(Some(chunk()), 1)).await;
    assert!(
        matches!(outcome(&second), StorageOutcome::List { chunks, end: true } if chunks.is_empty())
    );
}

#[tokio::test]
async fn reports_carry_what_the_daemon_knows() {
    let (service, numbering) = registered_service(2).await;
    let reports = numbering.reports.lock();
    assert_eq!(reports[0].address, "here:1");
    assert_eq!(reports[0].targets.len(), 2);
    assert!(
        reports[0]
            .targets
            .iter()
            .all(|target| target.capacity_bytes > 0 && !target.failed)
    );
    let numbers: Vec<u32> = service
        .targets()
        .health()
        .iter()
        .map(|one| one.target.raw())
        .collect();
    assert_eq!(numbers, [1, 2]);
}

async fn status(service: &StorageService, target: u32) -> Result<StorageOutcome, FsError> {
    let status = request(target, 0, StorageOperation::TargetStatus);
    handle(service, status).await.header.result
}

#[tokio::test]
async fn a_target_serves_its_own_file_system_only() {
    let disk = SimulatedDisk::new(64 << 20);
    let service = service_on(std::slice::from_ref(&disk)).await;
    let own = Numbering::of(Some(0x42));
    service.report(&own, "").await.expect("a report");
    assert!(status(&service, 1).await.is_ok());
    drop(service);
    disk.restart_process();

    // Another file system takes over its address: its chunks would be taken for those of other files.
    let another = SimulatedDisk::new(64 << 20);
    let service = service_on(&[another, disk]).await;
    assert_eq!(
        status(&service, 1).await,
        Err(FsError::Unavailable),
        "nobody has said yet for whom it would serve"
    );
    let other = Numbering::of(Some(0x43));
    for _ in 0..2 {
        service.report(&other, "").await.expect("a report");
    }
    assert_eq!(
        other.reported_targets(),
        [1, 1],
        "only the new one registers"
    );
    let health = service.targets().health();
    assert_eq!(health[0].failure, None);
    let why = health[1].failure.as_deref().expect("it does not serve");
    for part in [
        "0000000000000042",
        "0000000000000043",
        "metadata service",
        "delete",
    ] {
        assert!(why.contains(part), "no `{part}` in: {why}");
    }
    assert!(!service.is_registered());
}

/// Each file system counts its targets from 1.
#[tokio::test]
async fn a_foreign_target_hides_no_own_one_of_the_same_number() {
    let foreign = SimulatedDisk::new(64 << 20);
    let service = service_on(std::slice::from_ref(&foreign)).await;
    let theirs = Numbering::of(Some(0x42));
    service.report(&theirs, "").await.expect("a report");
    drop(service);
    foreign.restart_process();

    let service = service_on(&[foreign, SimulatedDisk::new(64 << 20)]).await;
    let ours = Numbering::of(Some(0x43));
    service.report(&ours, "").await.expect("a report");
    assert!(status(&service, 1).await.is_ok());
}

#[tokio::test]
async fn a_target_that_cannot_note_its_number_keeps_no_other_from_serving() {
    let (full, good) = (SimulatedDisk::new(64 << 20), SimulatedDisk::new(64 << 20));
    let service = service_on(&[full.clone(), good]).await;
    full.set_faults(Faults {
        fail_writes: true,
        ..Faults::default()
    });
    let numbering = Numbering::of(Some(42));
    let reported = service.report(&numbering, "").await;
    assert!(
        matches!(reported, Err(StorageError::Record(_))),
        "{reported:?}"
    );
    assert!(status(&service, 2).await.is_ok());
    assert!(service.map_version().raw() > 0);
    assert!(status(&service, 1).await.is_err());
}

#[tokio::test]
async fn a_target_is_not_lost_to_a_cluster_that_is_not_formed() {
    let disk = SimulatedDisk::new(64 << 20);
    let service = service_on(std::slice::from_ref(&disk)).await;
    let unformed = Numbering::of(None);
    service.report(&unformed, "").await.expect("a report");
    assert_eq!(
        unformed.reported_targets(),
        [1],
        "a new target helps to form it"
    );
    assert!(!service.is_registered());
    assert_eq!(status(&service, 1).await, Err(FsError::Unavailable));
    let own = Numbering::of(Some(42));
    service.report(&own, "").await.expect("a report");
    assert!(service.is_registered() && status(&service, 1).await.is_ok());

    let unformed = Numbering::of(None);
    let refused = service.report(&unformed, "").await;
    assert!(
        matches!(refused, Err(StorageError::Map { .. })),
        "{refused:?}"
    );
    assert_eq!(unformed.reported_targets(), [0; 0], "a member does not");
    assert!(
        status(&service, 1).await.is_ok(),
        "it may only be out of touch"
    );
}

#[tokio::test]
async fn the_same_target_twice_is_refused() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = simulated_store(&disk).await;
    let stores = vec![("a".into(), Arc::clone(&store)), ("b".into(), store)];
    let twice = Targets::from_stores(stores).await;
    assert!(matches!(twice, Err(StorageError::SameTarget { .. })));
}

#[tokio::test]
async fn one_bad_directory_does_not_keep_the_others_from_serving() {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/../../target");
    let folder = folder.expect("a folder beside the build");
    let blocked = folder.path().join("a file, not a directory");
    std::fs::write(&blocked, b"").expect("a file");
    let config = |directory: PathBuf| TargetConfig {
        directory,
        store: small_store(),
        device: sluice_store::device::DeviceOptions::default(),
    };
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    let good = config(folder.path().join("good"));
    let configs = vec![config(blocked.clone()), good];
    let targets = Targets::open(configs, clock.clone(), rng.clone())
        .await
        .expect("one is good");
    let health = targets.health();
    assert_eq!(health.len(), 2);
    assert!(health[0].failure.is_none() && health[1].failure.is_some());
    targets.close().await.expect("a clean close");
    let none = Targets::open(vec![config(blocked)], clock, rng).await;
    assert!(matches!(none, Err(StorageError::NoTarget { count: 1, .. })));
}
