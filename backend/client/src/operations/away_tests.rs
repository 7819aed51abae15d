//! What a target that is away means for whoever asks it, and for everybody else.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sluice_types::{ByteRange, FsError, TargetState};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ClientConfig;
use crate::fakes::{Cluster, config, inode, layout, map, target};

const CHUNK: u64 = 65_536;
/// Chunks under way to one target, and to all four.
const EACH: usize = 8;
const ALL: usize = 4 * EACH;

/// What no test here should take.
const LONG: Duration = Duration::from_secs(3);

fn tight() -> ClientConfig {
    ClientConfig {
        deadline: Duration::from_secs(60),
        out_of_service_wait: Duration::from_secs(60),
        bytes_in_flight_max: ALL * CHUNK as usize,
        bytes_in_flight_per_target_max: EACH * CHUNK as usize,
        ..config()
    }
}

/// Starts to read chunk `index` of a file that lies on all targets in turn, `times` at once.
fn read(cluster: &Cluster, index: u64, times: usize) -> JoinSet<Result<usize, FsError>> {
    let mut reads = JoinSet::new();
    for _ in 0..times {
        let client = Arc::clone(&cluster.client);
        reads.spawn(async move {
            let range = ByteRange::new(index * CHUNK, CHUNK).unwrap();
            let read = client.read(inode(2), &layout(4, 0), range).await;
            read.map(|payload| payload.len())
        });
    }
    reads
}

/// Makes it the map in force.
async fn install(cluster: &Cluster, version: u64, change: impl Fn(&mut sluice_types::Target)) {
    let mut next = map(version, "");
    change(&mut next.targets[0]);
    *cluster.meta.map.lock() = next;
    while cluster.client.map().version.raw() < version {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// While many reads wait for the first target, the others are read with all that one target may have under way.
async fn assert_others_are_read_at_full_concurrency(cluster: &Cluster) {
    let waiting = read(cluster, 0, 4 * ALL);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let together = Arc::new(Barrier::new(3 * EACH));
    *cluster.storage.reads_together.lock() = Some(together);
    for _ in 0..3 {
        let mut others: Vec<_> = (1..4).map(|index| read(cluster, index, EACH)).collect();
        for others in &mut others {
            while let Some(other) = timeout(LONG, others.join_next()).await.expect("in time") {
                assert_eq!(other.unwrap(), Ok(CHUNK as usize));
            }
        }
    }
    assert_eq!(waiting.len(), 4 * ALL);
}

#[tokio::test]
async fn a_silent_target_leaves_the_others_their_room() {
    let cluster = Cluster::start_with(tight()).await;
    cluster.storage.silent.lock().insert(target(1));
    assert_others_are_read_at_full_concurrency(&cluster).await;
}

#[tokio::test]
async fn an_unreachable_target_leaves_the_others_their_room() {
    let cluster = Cluster::start_with(tight()).await;
    install(&cluster, 2, |first| first.address = "nowhere".into()).await;
    assert_others_are_read_at_full_concurrency(&cluster).await;
}

#[tokio::test]
async fn a_target_out_of_service_leaves_the_others_their_room() {
    let cluster = Cluster::start_with(tight()).await;
    install(&cluster, 2, |first| first.state = TargetState::Offline).await;
    assert_others_are_read_at_full_concurrency(&cluster).await;
}

#[tokio::test]
async fn waiting_for_room_counts_against_the_deadline() {
    let deadline = Duration::from_millis(200);
    let short = ClientConfig {
        deadline,
        ..tight()
    };
    let cluster = Cluster::start_with(short).await;
    cluster.storage.silent.lock().insert(target(1));
    // One after another, they would take 100 times as long.
    let mut reads = read(&cluster, 0, 100 * EACH);
    let ended = async {
        while let Some(read) = reads.join_next().await {
            let error = read.unwrap().unwrap_err();
            assert!(matches!(error, FsError::Unavailable | FsError::Busy));
        }
    };
    timeout(LONG, ended).await.expect("all ended in time");
}

#[tokio::test]
async fn a_target_that_stays_out_of_service_is_not_waited_for_until_the_deadline() {
    let impatient = ClientConfig {
        out_of_service_wait: Duration::from_millis(40),
        ..tight()
    };
    let cluster = Cluster::start_with(impatient).await;
    install(&cluster, 2, |first| first.state = TargetState::Offline).await;
    let mut reads = read(&cluster, 0, 1);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(reads.try_join_next().is_none(), "it may come back at once");
    let ended = timeout(LONG, reads.join_next()).await.expect("in time");
    assert_eq!(ended.unwrap().unwrap(), Err(FsError::Unavailable));
    // One that comes back in time is read.
    let mut reads = read(&cluster, 0, 1);
    *cluster.meta.map.lock() = map(3, "");
    let ended = timeout(LONG, reads.join_next()).await.expect("in time");
    assert_eq!(ended.unwrap().unwrap(), Ok(CHUNK as usize));
}

#[tokio::test]
async fn a_request_with_a_target_that_goes_out_of_service_is_given_up() {
    let impatient = ClientConfig {
        out_of_service_wait: Duration::from_millis(40),
        ..tight()
    };
    let cluster = Cluster::start_with(impatient).await;
    cluster.storage.silent.lock().insert(target(1));
    let mut reads = read(&cluster, 0, 2 * EACH);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(
        reads.try_join_next().is_none(),
        "in service, as the map has it"
    );
    install(&cluster, 2, |first| first.state = TargetState::Offline).await;
    while let Some(read) = timeout(LONG, reads.join_next()).await.expect("in time") {
        assert_eq!(read.unwrap(), Err(FsError::Unavailable));
    }
}

#[tokio::test]
async fn an_old_map_is_no_reason_to_give_up() {
    let impatient = ClientConfig {
        out_of_service_wait: Duration::ZERO,
        ..tight()
    };
    let cluster = Cluster::start_with(impatient).await;
    install(&cluster, 2, |first| first.state = TargetState::Offline).await;
    cluster.meta.failures.store(usize::MAX, Ordering::SeqCst);
    let mut reads = read(&cluster, 0, 1);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(
        reads.try_join_next().is_none(),
        "nobody says that it is still so"
    );
    *cluster.meta.map.lock() = map(3, "");
    cluster.meta.failures.store(0, Ordering::SeqCst);
    let ended = timeout(LONG, reads.join_next()).await.expect("in time");
    assert_eq!(ended.unwrap().unwrap(), Ok(CHUNK as usize));
}

#[tokio::test]
async fn the_metadata_service_is_not_asked_by_each_that_waits() {
    let slow = ClientConfig {
        renewal_interval: Duration::from_secs(600),
        ..tight()
    };
    let cluster = Cluster::start_with(slow).await;
    let mut offline = map(2, "");
    offline.targets[0].state = TargetState::Offline;
    *cluster.meta.map.lock() = offline;
    let known = cluster.client.map().version;
    cluster.client.refresh_map(known).await.unwrap();
    let known = cluster.client.map().version;
    let before = cluster.meta.calls.load(Ordering::SeqCst);
    let refresh = || cluster.client.refresh_map(known);
    let all = futures::future::join_all((0..100).map(|_| refresh())).await;
    assert!(all.iter().all(Result::is_ok));
    // One that was asking when the others came, and one for all of those.
    assert!(cluster.meta.calls.load(Ordering::SeqCst) - before <= 2);
}
