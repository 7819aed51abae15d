use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sluice_types::{
    ByteRange, ChunkIndex, FILE_SIZE_MAX, FsError, Payload, Stability, TargetState,
};
use sluice_wire::storage::{StorageOperation, StorageOutcome};
use tokio::sync::Barrier;

use crate::fakes::{Cluster, SeededRng, TARGETS, config, inode, layout, map, target};
use crate::{ClientConfig, CommitScope};

const CHUNK: u64 = 65_536;

fn range(start: u64, length: u64) -> ByteRange {
    ByteRange::new(start, length).unwrap()
}

fn data(rng: &SeededRng, length: u64) -> Vec<u8> {
    let seed = rng.below(256);
    (0..length)
        .map(|at| (at ^ seed ^ (at >> 8)) as u8 | 1)
        .collect()
}

/// Random writes, reads and truncations, compared with a file in memory.
async fn agree_with_model(seed: u64, width: u32) {
    let cluster = Cluster::start().await;
    let (client, rng) = (&cluster.client, SeededRng::new(seed));
    let layout = layout(width, seed as u32 * 3);
    let file = inode(42);
    let mut model: Vec<u8> = Vec::new();
    for step in 0..120 {
        let offset = rng.below(12 * CHUNK);
        let length = rng.below(5 * CHUNK);
        match rng.below(8) {
            0 => {
                let size = rng.below(12 * CHUNK).min(model.len() as u64);
                client.truncate(file, &layout, size).await.unwrap();
                model.truncate(size as usize);
            }
            1..=3 => {
                let bytes = data(&rng, length);
                let end = (offset + length) as usize;
                model.resize(model.len().max(end), 0);
                model[offset as usize..end].copy_from_slice(&bytes);
                let how = [Stability::Unstable, Stability::FileSync][rng.below(2) as usize];
                client
                    .write(file, &layout, offset, bytes.into(), how)
                    .await
                    .unwrap();
            }
            _ => {
                let read = client
                    .read(file, &layout, range(offset, length))
                    .await
                    .unwrap();
                let mut expected = model.clone();
                expected.resize((offset + length).max(model.len() as u64) as usize, 0);
                let expected = &expected[offset as usize..(offset + length) as usize];
                assert!(read.to_contiguous() == expected, "seed {seed}, step {step}");
            }
        }
    }
    let committed = client
        .commit(file, &layout, CommitScope::All)
        .await
        .unwrap();
    assert!(committed.end_bytes <= model.len() as u64);
    let targets = cluster.storage.targets.lock();
    for (id, target) in targets.iter() {
        for chunk in target.durable.keys() {
            let group = layout.group_of(chunk.index, 8);
            assert_eq!(client.map().group(group).unwrap().replicas, [*id]);
        }
    }
}

#[tokio::test]
async fn a_striped_file_reads_as_it_was_written() {
    for seed in 0..4 {
        for width in [1, 3, 8, 16] {
            agree_with_model(seed, width).await;
        }
    }
}

#[tokio::test]
async fn a_wide_file_lies_evenly() {
    let cluster = Cluster::start().await;
    let bytes = Payload::from(vec![7; 16 * CHUNK as usize]);
    let layout = layout(16, 5);
    let receipt = cluster
        .client
        .write(inode(2), &layout, 0, bytes, Stability::FileSync)
        .await;
    let receipt = receipt.unwrap();
    assert_eq!(
        receipt.targets,
        (1..=TARGETS).map(target).collect::<Vec<_>>()
    );
    for id in 1..=TARGETS {
        cluster
            .storage
            .with(id, |target| assert_eq!(target.durable.len(), 4));
    }
}

/// No target answers before all four were asked: a read that asked one after another would never end.
#[tokio::test]
async fn one_read_asks_all_its_targets_at_once() {
    let cluster = Cluster::start().await;
    let bytes = Payload::from(vec![7; 4 * CHUNK as usize]);
    let (client, layout) = (&cluster.client, layout(4, 0));
    client
        .write(inode(2), &layout, 0, bytes.clone(), Stability::FileSync)
        .await
        .unwrap();
    let together = Arc::new(Barrier::new(TARGETS as usize));
    *cluster.storage.reads_together.lock() = Some(together);
    let read = client.read(inode(2), &layout, range(0, 4 * CHUNK));
    let read = tokio::time::timeout(Duration::from_secs(3), read).await;
    assert_eq!(read.expect("all were asked at once").unwrap(), bytes);
    let asked = cluster.storage.requests.lock();
    let reads = asked.iter().filter(|(_, name)| *name == "Read");
    let targets: BTreeSet<_> = reads.map(|(target, _)| *target).collect();
    assert_eq!(targets.len(), TARGETS as usize);
}

#[tokio::test]
async fn what_is_away_for_a_moment_is_waited_for() {
    let cluster = Cluster::start().await;
    let layout = layout(4, 0);
    cluster.storage.fail(2, FsError::Unavailable, 3);
    cluster.storage.fail(3, FsError::Busy, 2);
    let bytes = Payload::from(vec![9; 4 * CHUNK as usize]);
    let client = &cluster.client;
    client
        .write(inode(2), &layout, 0, bytes.clone(), Stability::Unstable)
        .await
        .unwrap();
    assert_eq!(
        client
            .read(inode(2), &layout, range(0, 4 * CHUNK))
            .await
            .unwrap(),
        bytes
    );
    assert_eq!(cluster.storage.count("Write"), 4 + 5);
}

#[tokio::test]
async fn what_stays_away_is_unavailable_by_the_deadline() {
    let short = ClientConfig {
        deadline: Duration::from_millis(60),
        ..config()
    };
    let cluster = Cluster::start_with(short).await;
    let (client, layout) = (&cluster.client, layout(4, 0));
    cluster.storage.fail(2, FsError::Unavailable, 100_000);
    let bytes = Payload::from(vec![9; 4 * CHUNK as usize]);
    let written = client
        .write(inode(2), &layout, 0, bytes, Stability::Unstable)
        .await;
    assert_eq!(written, Err(FsError::Unavailable));
    let read = client.read(inode(2), &layout, range(0, 4 * CHUNK)).await;
    assert_eq!(read, Err(FsError::Unavailable));
    cluster.transport.unregister("");
    let committed = client.commit(inode(2), &layout, CommitScope::All).await;
    assert_eq!(committed, Err(FsError::Unavailable));
}

#[tokio::test]
async fn a_refusal_is_final() {
    let cluster = Cluster::start().await;
    let (client, layout) = (&cluster.client, layout(1, 0));
    for error in [FsError::NoSpace, FsError::Io, FsError::SessionLapsed] {
        cluster.storage.requests.lock().clear();
        cluster.storage.fail(1, error, 1);
        let bytes = Payload::from(vec![9; 10]);
        let written = client
            .write(inode(2), &layout, 0, bytes, Stability::Unstable)
            .await;
        assert_eq!(written, Err(error));
        assert_eq!(cluster.storage.count("Write"), 1);
    }
}

#[tokio::test]
async fn an_old_map_is_replaced_and_the_request_sent_again() {
    let slow = ClientConfig {
        renewal_interval: Duration::from_secs(600),
        ..config()
    };
    let cluster = Cluster::start_with(slow).await;
    let (client, layout) = (&cluster.client, layout(4, 0));
    *cluster.meta.map.lock() = map(2, "elsewhere");
    cluster.storage.map_version.store(2, Ordering::SeqCst);
    cluster
        .transport
        .register("elsewhere", Arc::clone(&cluster.storage) as _);
    let bytes = Payload::from(vec![9; 4 * CHUNK as usize]);
    client
        .write(inode(2), &layout, 0, bytes.clone(), Stability::Unstable)
        .await
        .unwrap();
    assert_eq!(client.map().version.raw(), 2);
    // And a target that is not where the map says is looked for in a newer one.
    *cluster.meta.map.lock() = map(3, "");
    cluster.transport.unregister("elsewhere");
    assert_eq!(
        client
            .read(inode(2), &layout, range(0, 4 * CHUNK))
            .await
            .unwrap(),
        bytes
    );
    assert_eq!(client.map().version.raw(), 3);
}

#[tokio::test]
async fn a_target_out_of_service_is_not_asked() {
    let short = ClientConfig {
        deadline: Duration::from_millis(60),
        ..config()
    };
    let cluster = Cluster::start_with(short).await;
    let mut offline = map(2, "");
    offline.targets[0].state = TargetState::Offline;
    *cluster.meta.map.lock() = offline;
    while cluster.client.map().version.raw() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let read = cluster
        .client
        .read(inode(2), &layout(1, 0), range(0, 10))
        .await;
    assert_eq!(read, Err(FsError::Unavailable));
    assert_eq!(cluster.storage.count("Read"), 0);
}

#[tokio::test]
async fn the_verifier_changes_exactly_when_a_target_of_the_file_restarts() {
    let cluster = Cluster::start().await;
    let (client, storage) = (&cluster.client, &cluster.storage);
    // On targets 1 and 2.
    let (file, layout) = (inode(2), layout(2, 0));
    let bytes = Payload::from(vec![9; 10]);
    let write = |offset| client.write(file, &layout, offset, bytes.clone(), Stability::Unstable);
    let first = write(0).await.unwrap();
    assert_eq!(first.targets, [target(1)]);
    assert_eq!(
        storage.count("TargetStatus"),
        1,
        "target 2 was asked for its boot, once"
    );
    assert_eq!(write(CHUNK).await.unwrap().verifier, first.verifier);
    assert_eq!(client.verifier(&layout).await.unwrap(), first.verifier);
    let committed = client
        .commit(file, &layout, CommitScope::All)
        .await
        .unwrap();
    assert_eq!(committed.verifier, first.verifier);
    assert_eq!(committed.end_bytes, CHUNK + 10);
    assert_eq!(committed.allocated_bytes, Some(20));
    // Not the file's.
    storage.restart(3);
    client.target_status(target(3)).await.unwrap();
    assert_eq!(client.verifier(&layout).await.unwrap(), first.verifier);
    // The file's, with unstable data.
    let again = write(0).await.unwrap();
    storage.restart(1);
    let only = CommitScope::Only(BTreeSet::from([target(1), target(9)]));
    let committed = client.commit(file, &layout, only).await.unwrap();
    assert_ne!(committed.verifier, again.verifier);
    assert_eq!(committed.allocated_bytes, None);
    assert_eq!(storage.count("Commit"), 3);
}

#[tokio::test]
async fn a_restart_between_two_tries_shows_in_the_verifier() {
    let cluster = Cluster::start().await;
    let (client, layout) = (&cluster.client, layout(1, 0));
    let bytes = Payload::from(vec![9; 10]);
    let first = client
        .write(inode(2), &layout, 0, bytes.clone(), Stability::Unstable)
        .await;
    cluster.storage.restart(1);
    cluster.storage.fail(1, FsError::Unavailable, 1);
    let second = client
        .write(inode(2), &layout, 0, bytes, Stability::Unstable)
        .await;
    assert_ne!(first.unwrap().verifier, second.unwrap().verifier);
}

#[tokio::test]
async fn pieces_of_a_call_and_bytes_in_all_are_bounded() {
    let few = ClientConfig {
        pieces_per_call_max: 3,
        ..config()
    };
    let cluster = Cluster::start_with(few).await;
    let bytes = Payload::from(vec![9; 40 * CHUNK as usize]);
    let (client, layout) = (&cluster.client, layout(16, 0));
    client
        .write(inode(2), &layout, 0, bytes, Stability::Unstable)
        .await
        .unwrap();
    assert!(cluster.storage.running_max.load(Ordering::SeqCst) <= 3);
    let little = ClientConfig {
        bytes_in_flight_max: 2 * CHUNK as usize,
        ..config()
    };
    let cluster = Cluster::start_with(little).await;
    let reads = (0..10).map(|_| cluster.client.read(inode(2), &layout, range(0, 8 * CHUNK)));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.unwrap().len() as u64, 8 * CHUNK);
    }
    assert!(cluster.storage.running_max.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn a_client_ends_with_its_session() {
    let cluster = Cluster::start().await;
    let session = cluster.client.session();
    assert!(cluster.client.is_session_valid());
    cluster.meta.sessions.lock().clear();
    let ended = cluster.client.session_ended();
    tokio::time::timeout(Duration::from_secs(5), ended)
        .await
        .unwrap();
    assert!(!cluster.client.is_session_valid());
    assert_eq!(cluster.client.session(), session);
    let layout = layout(2, 1);
    let read = cluster.client.file_status(inode(1), &layout);
    assert_eq!(read.await.map(|_| ()), Err(FsError::SessionLapsed));
}

#[tokio::test]
async fn a_dropped_client_renews_no_more() {
    let cluster = Cluster::start().await;
    let meta = Arc::clone(&cluster.meta);
    drop(cluster);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let calls = meta.calls.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(meta.calls.load(Ordering::SeqCst), calls);
}

#[tokio::test]
async fn one_target_can_be_asked_anything_without_a_payload() {
    let cluster = Cluster::start().await;
    let client = &cluster.client;
    let checked = client
        .target_request(target(2), StorageOperation::Check)
        .await;
    assert_eq!(checked, Ok(StorageOutcome::Check(vec![])));
    let chunk = sluice_types::ChunkId {
        inode: inode(1),
        index: ChunkIndex::new(0),
    };
    let range = sluice_types::ChunkRange {
        start: 0,
        length: 1,
    };
    let read = client
        .target_request(target(2), StorageOperation::Read { chunk, range })
        .await;
    assert_eq!(read, Err(FsError::Invalid));
    let statuses = client.file_status(inode(1), &layout(4, 0)).await.unwrap();
    assert_eq!(statuses.len(), 4);
}

#[tokio::test]
async fn beyond_the_largest_file_is_refused() {
    let cluster = Cluster::start().await;
    let bytes = Payload::from(vec![9; 10]);
    let (client, layout) = (&cluster.client, layout(4, 0));
    let at = FILE_SIZE_MAX - 5;
    let written = client
        .write(inode(2), &layout, at, bytes, Stability::Unstable)
        .await;
    assert_eq!(written, Err(FsError::FileTooLarge));
    assert_eq!(cluster.storage.count("Write"), 0);
}

/// Everything can run in a task of its own.
#[tokio::test]
async fn futures_move_between_threads() {
    let cluster = Cluster::start().await;
    let client = Arc::clone(&cluster.client);
    let work = tokio::spawn(async move {
        let layout = layout(4, 0);
        let bytes = Payload::from(vec![9; 3 * CHUNK as usize]);
        client
            .write(inode(2), &layout, 0, bytes, Stability::Unstable)
            .await?;
        client.commit(inode(2), &layout, CommitScope::All).await?;
        client.read(inode(2), &layout, range(0, CHUNK)).await?;
        client.truncate(inode(2), &layout, 0).await?;
        client.remove(inode(2), &layout).await?;
        client.file_status(inode(2), &layout).await?;
        let config = crate::reclaim::ReclaimConfig::default();
        crate::reclaim::run(&client, config, std::future::ready(())).await;
        crate::check::run(&client, |_| {}).await
    });
    assert!(work.await.unwrap().unwrap().is_clean());
}
