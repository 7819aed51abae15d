//! Promises of single operations, and many at once.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Seeded, chunk, inode, open, pattern, range, read_all, small_config};
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_store::{Store, StoreError};
use sluice_types::{ChunkIndex, ChunkSize, FsError, Payload, Stability};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

async fn fresh() -> (SimulatedDisk, Arc<Store>) {
    let disk = SimulatedDisk::new(256 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    (disk, store)
}

async fn write(store: &Arc<Store>, number: u64, offset: u32, data: &[u8], stability: Stability) {
    let payload = Payload::from(data.to_vec());
    store
        .write(chunk(number, 0), offset, payload, stability)
        .await
        .expect("write");
}

#[tokio::test(start_paused = true)]
async fn missing_chunks_are_empty_and_holes_are_zeros() {
    let (_disk, store) = fresh().await;
    assert!(read_all(&store, chunk(1, 0)).await.is_empty());
    write(&store, 1, 10_000, &[7; 10], Stability::Unstable).await;
    let mut expected = vec![0; 10_000];
    expected.extend([7; 10]);
    assert_eq!(read_all(&store, chunk(1, 0)).await, expected);
    store.flush_all().await.expect("flush");
    assert_eq!(read_all(&store, chunk(1, 0)).await, expected);
    assert_eq!(store.file_status(inode(1)).allocated_bytes, 4096);
    let short = store
        .read(chunk(1, 0), range(10_005, 100))
        .await
        .expect("read");
    assert_eq!(short.to_contiguous(), &[7; 5][..]);
    assert!(
        store
            .read(chunk(1, 0), range(10_010, 100))
            .await
            .expect("read")
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn commit_tells_end_and_space_of_the_file() {
    let (_disk, store) = fresh().await;
    let nothing = store.commit(inode(1)).await.expect("commit");
    assert_eq!((nothing.end, nothing.allocated_bytes), (None, 0));
    for index in [0, 4] {
        let payload = Payload::from(vec![1; 5000]);
        store
            .write(chunk(1, index), 0, payload, Stability::Unstable)
            .await
            .expect("write");
    }
    let done = store.commit(inode(1)).await.expect("commit");
    assert_eq!(done.end, Some((ChunkIndex::new(4), 5000)));
    assert_eq!(done.allocated_bytes, 4 * 4096);
    store.flush_all().await.expect("flush");
    assert_eq!(
        store.commit(inode(1)).await.expect("commit"),
        done,
        "the same when in slabs"
    );
    store
        .truncate(inode(1), ChunkIndex::new(0), 4096)
        .await
        .expect("truncate");
    let status = store.file_status(inode(1));
    assert_eq!(
        (status.end, status.allocated_bytes),
        (Some((ChunkIndex::new(0), 4096)), 4096)
    );
}

#[tokio::test(start_paused = true)]
async fn writes_to_a_removed_file_are_stale() {
    let (disk, store) = fresh().await;
    write(&store, 1, 0, &[1; 100], Stability::FileSync).await;
    store.remove(inode(1)).await.expect("remove");
    let late = |store: Arc<Store>| async move {
        let payload = Payload::from(vec![1]);
        store
            .write(chunk(1, 0), 0, payload, Stability::Unstable)
            .await
    };
    let refused = late(Arc::clone(&store)).await.expect_err("removed");
    assert_eq!(FsError::from(refused), FsError::Stale);
    assert!(read_all(&store, chunk(1, 0)).await.is_empty());
    drop(store);
    disk.crash(1);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    assert!(
        matches!(late(store).await, Err(StoreError::Removed(_))),
        "also after a restart"
    );
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_largest_chunk_are_refused() {
    let (_disk, store) = fresh().await;
    let payload = Payload::from(vec![1; 10]);
    let write = store
        .write(
            chunk(1, 0),
            ChunkSize::MAX_BYTES - 5,
            payload.clone(),
            Stability::Unstable,
        )
        .await;
    assert!(matches!(write, Err(StoreError::Invalid(_))));
    let write = store
        .write(chunk(1, 0), u32::MAX, payload, Stability::Unstable)
        .await;
    assert!(matches!(write, Err(StoreError::Invalid(_))));
    let cut = store.truncate(inode(1), ChunkIndex::new(0), u32::MAX).await;
    assert!(matches!(cut, Err(StoreError::Invalid(_))));
    write_at_the_end(&store).await;
}

async fn write_at_the_end(store: &Arc<Store>) {
    let last = ChunkSize::MAX_BYTES - 10;
    write(store, 1, last, &[9; 10], Stability::FileSync).await;
    store.flush_all().await.expect("flush");
    let read = store
        .read(chunk(1, 0), range(last - 5, 100))
        .await
        .expect("read");
    assert_eq!(
        read.to_contiguous(),
        &[0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9][..]
    );
}

#[tokio::test(start_paused = true)]
async fn listing_pages_have_every_chunk_once_in_order() {
    let (_disk, store) = fresh().await;
    let mut expected = Vec::new();
    for number in 1..=100 {
        for index in [0, 3] {
            let payload = Payload::from(vec![1; number as usize]);
            store
                .write(chunk(number, index), 0, payload, Stability::Unstable)
                .await
                .expect("write");
            expected.push(chunk(number, index));
        }
    }
    for limit in [1, 7, 200, 1000] {
        let mut listed = Vec::new();
        loop {
            let page = store.list(listed.last().copied(), limit);
            listed.extend(page.iter().map(|entry| entry.chunk));
            if page.len() < limit {
                break;
            }
        }
        assert_eq!(listed, expected, "in pages of {limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn versions_grow_with_every_change() {
    let (_disk, store) = fresh().await;
    let version = |store: &Arc<Store>| store.list(None, 1)[0].version;
    write(&store, 1, 0, &[1; 100], Stability::Unstable).await;
    let first = version(&store);
    write(&store, 1, 0, &[2; 100], Stability::FileSync).await;
    let second = version(&store);
    store.flush_all().await.expect("flush");
    assert_eq!(version(&store), second, "flushing changes nothing");
    store
        .truncate(inode(1), ChunkIndex::new(0), 50)
        .await
        .expect("truncate");
    assert!(first < second && second < version(&store));
}

#[tokio::test(start_paused = true)]
async fn removing_one_chunk_leaves_the_others() {
    let (disk, store) = fresh().await;
    for index in 0..3 {
        let payload = Payload::from(pattern(u64::from(index), 20_000));
        store
            .write(chunk(1, index), 0, payload, Stability::FileSync)
            .await
            .expect("write");
    }
    store.remove_chunk(chunk(1, 1)).await.expect("remove chunk");
    drop(store);
    disk.crash(9);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    assert!(read_all(&store, chunk(1, 1)).await.is_empty());
    assert_eq!(read_all(&store, chunk(1, 2)).await, pattern(2, 20_000));
    assert!(store.check().is_clean());
}

#[tokio::test(start_paused = true)]
async fn many_synchronous_writes_share_flushes() {
    let (disk, store) = fresh().await;
    disk.set_faults(Faults {
        latency: Some(std::time::Duration::from_millis(1)),
        ..Faults::default()
    });
    let before = disk.operations();
    let writers = (0..200_u64).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(
            async move { write(&store, 1 + number, 0, &[3; 50], Stability::FileSync).await },
        )
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("writer");
    }
    let operations = disk.operations() - before;
    assert!(
        operations < 20,
        "{operations} device operations for 200 synchronous writes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_leaves_no_trace() {
    let (disk, store) = fresh().await;
    let rng = Seeded::new(8);
    disk.set_faults(Faults {
        latency: Some(std::time::Duration::from_millis(1)),
        ..Faults::default()
    });
    for round in 0..200 {
        let work = async {
            write(
                &store,
                1,
                rng.below(50_000) as u32,
                &pattern(round, 30_000),
                Stability::FileSync,
            )
            .await;
            store.commit(inode(1)).await.expect("commit");
            store
                .truncate(inode(1), ChunkIndex::new(0), rng.below(80_000) as u32)
                .await
                .expect("truncate");
        };
        let patience = std::time::Duration::from_micros(rng.below(9000));
        let _ = tokio::time::timeout(patience, work).await;
    }
    store.flush_all().await.expect("flush");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(store.check().is_clean(), "{:?}", store.check());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_on_few_files() {
    let (disk, store) = fresh().await;
    let tasks = (0..8_u64).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let rng = Seeded::new(task);
            // Each task has its own part of a shared chunk, and reads back what it wrote.
            let start = task as u32 * 20_000;
            let mut mine = vec![0; 20_000];
            for round in 0..150 {
                let (offset, length) = (rng.below(19_000) as usize, 1 + rng.below(1000) as usize);
                let data = pattern(task * 1000 + round, length);
                mine[offset..offset + length].copy_from_slice(&data);
                let stability = [Stability::Unstable, Stability::FileSync][rng.below(2) as usize];
                let payload = Payload::from(data);
                store
                    .write(chunk(1, 0), start + offset as u32, payload, stability)
                    .await
                    .expect("write");
                match rng.below(10) {
                    0 => drop(store.commit(inode(1)).await.expect("commit")),
                    1 => store.flush_all().await.expect("flush"),
                    2 => {
                        let other = 10 + task;
                        write(&store, other, 0, &pattern(round, 5000), Stability::Unstable).await;
                        store
                            .truncate(inode(other), ChunkIndex::new(0), 100)
                            .await
                            .expect("truncate");
                    }
                    _ => {}
                }
                let read = store
                    .read(chunk(1, 0), range(start, 20_000))
                    .await
                    .expect("read");
                let mut read = read.to_contiguous().to_vec();
                read.resize(20_000, 0);
                assert!(read == mine, "task {task}, round {round}");
            }
            mine
        })
    });
    let mut expected = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        expected.extend(task.await.expect("task"));
    }
    store.commit(inode(1)).await.expect("commit");
    assert!(store.check().is_clean(), "{:?}", store.check());
    drop(store);
    disk.restart_process();
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    let mut found = read_all(&store, chunk(1, 0)).await;
    found.resize(expected.len(), 0);
    assert!(found == expected);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_while_a_slab_is_made_keeps_no_memory() {
    let (disk, store) = fresh().await;
    disk.set_faults(Faults {
        latency: Some(Duration::from_millis(10)),
        ..Faults::default()
    });
    let payload = Payload::from(vec![1; 30_000]);
    let write = store.write(chunk(1, 0), 0, payload, Stability::Unstable);
    assert!(timeout(Duration::from_millis(15), write).await.is_err());
    assert_eq!(store.status().dirty_bytes, 0);
    write_and_read_back(&store).await;
    assert!(store.check().is_clean());
}

async fn write_and_read_back(store: &Arc<Store>) {
    write(store, 2, 0, &pattern(2, 30_000), Stability::FileSync).await;
    assert_eq!(read_all(store, chunk(2, 0)).await, pattern(2, 30_000));
}

#[tokio::test(start_paused = true)]
async fn a_commit_beside_a_cut_never_brings_back_what_was_written_over() {
    for seed in 0..5 {
        let (disk, store) = fresh().await;
        write(&store, 1, 0, &[1; 90_000], Stability::FileSync).await;
        write(&store, 1, 0, &[2; 90_000], Stability::Unstable).await;
        disk.set_faults(Faults {
            latency: Some(Duration::from_millis(10)),
            ..Faults::default()
        });
        let cut = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.truncate(inode(1), ChunkIndex::new(0), 0).await }
        });
        while store.file_status(inode(1)).end.is_some() {
            tokio::task::yield_now().await;
        }
        store.commit(inode(1)).await.expect("commit");
        cut.abort();
        drop(store);
        disk.crash(seed);
        let store = open(disk.device(), small_config(), 2).await.expect("open");
        assert_eq!(read_all(&store, chunk(1, 0)).await, [0; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_read_buffers_stops_neither_readers_nor_the_store() {
    const BYTES: usize = 512 << 10;
    let patience = Duration::from_secs(1);
    let (_disk, store) = fresh().await;
    write(&store, 1, 0, &pattern(1, BYTES), Stability::FileSync).await;
    let read = || timeout(patience, store.read(chunk(1, 0), range(0, BYTES as u32)));
    let mut kept = Vec::new();
    // The simulated device has a pool of 2 MiB, and 4 MiB of heap beside it.
    for _ in 0..12 {
        kept.push(read().await.expect("no waiting").expect("read"));
    }
    assert!(read().await.is_err(), "a bound holds");
    // What the store does itself needs buffers too, and has them.
    let work = async {
        for round in 0..100 {
            write(&store, 2, 100, &pattern(round, 16_000), Stability::FileSync).await;
        }
        write(&store, 1, 5, &[7; 10], Stability::Unstable).await;
        store.flush_all().await.expect("flush");
        let report = store.scrub(None, u64::MAX).await.expect("scrub");
        assert!(report.errors.is_empty() && report.next.is_none());
    };
    timeout(patience, work).await.expect("no waiting");
    assert!(
        kept.iter()
            .all(|data| data.to_contiguous() == pattern(1, BYTES))
    );
    kept.remove(0);
    let data = read()
        .await
        .expect("one has been given back")
        .expect("read");
    assert_eq!(data.to_contiguous()[5..15], [7; 10]);
}

#[tokio::test(start_paused = true)]
async fn data_written_before_a_cut_and_committed_after_it_survives() {
    let (disk, store) = fresh().await;
    write(&store, 1, 0, &[1; 8192], Stability::Unstable).await;
    store.flush_all().await.expect("flush");
    write(&store, 1, 0, &[2; 100], Stability::Unstable).await;
    // At a block's border, so that no zeroes are kept in memory for it.
    let cut = store.truncate(inode(1), ChunkIndex::new(0), 4096).await;
    cut.expect("truncate");
    store.commit(inode(1)).await.expect("commit");
    drop(store);
    disk.crash(1);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    let mut expected = vec![1; 4096];
    expected[..100].fill(2);
    assert_eq!(read_all(&store, chunk(1, 0)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_nobody_waits_for_any_more_is_not_begun() {
    let (disk, store) = fresh().await;
    let memory = small_config().dirty_bytes_max;
    write(&store, 1, 0, &pattern(1, memory), Stability::Unstable).await;
    disk.set_faults(Faults {
        latency: Some(Duration::from_secs(10)),
        ..Faults::default()
    });
    let given_up = CancellationToken::new();
    let late = tokio::spawn({
        let (store, given_up) = (Arc::clone(&store), given_up.clone());
        async move {
            let data = Payload::from(vec![1; 1000]);
            let unstable = Stability::Unstable;
            store
                .write_unless(&given_up, chunk(2, 0), 0, data, unstable)
                .await
        }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!late.is_finished(), "there is no room");
    given_up.cancel();
    let late = late.await.expect("no panic");
    assert!(matches!(late, Err(StoreError::GivenUp)), "{late:?}");
    write(&store, 2, 0, &[2; 10], Stability::Unstable).await;
    store.commit(inode(2)).await.expect("commit");
    assert_eq!(read_all(&store, chunk(2, 0)).await, [2; 10]);
    assert_eq!(store.status().device_errors, 0, "no error of the disk");
    assert!(store.check().is_clean());
}
