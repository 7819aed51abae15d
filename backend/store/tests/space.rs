//! Full disks, bounded memory, and a log that stays small.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{chunk, inode, open, pattern, range, read_all, small_config};
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_store::{Store, StoreConfig, StoreError};
use sluice_types::{ChunkIndex, Payload, Stability};

async fn write(
    store: &Arc<Store>,
    number: u64,
    index: u32,
    offset: u32,
    data: Vec<u8>,
) -> Result<(), StoreError> {
    let payload = Payload::from(data);
    store
        .write(chunk(number, index), offset, payload, Stability::Unstable)
        .await
        .map(drop)
}

fn capacity(bytes: u64) -> StoreConfig {
    StoreConfig {
        capacity_bytes: Some(bytes),
        dirty_bytes_max: 64 << 20,
        dirty_bytes_background: 64 << 20,
        ..small_config()
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_writes_loses_nothing_and_can_be_emptied() {
    let disk = SimulatedDisk::new(256 << 20);
    let store = open(disk.device(), capacity(4 << 20), 1)
        .await
        .expect("open");
    let mut accepted = 0;
    let refused = loop {
        let data = pattern(accepted, 100_000);
        match write(&store, 1 + accepted, 0, 0, data).await {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::NoSpace), "{refused}");
    assert!(
        (30..42).contains(&accepted),
        "{accepted} files of 100,000 bytes in 4 MiB"
    );
    let space = store.statfs().await.expect("statfs");
    assert_eq!(space.capacity_bytes, 4 << 20);
    assert!(
        space.free_bytes < 200_000 && space.used_bytes > 3 << 20,
        "{space:?}"
    );
    // All that was accepted can be committed.
    for number in 0..accepted {
        store
            .commit(inode(1 + number))
            .await
            .expect("commit never runs out of space");
    }
    // Cutting works on a full disk, also in the middle of a block.
    for number in 0..accepted {
        store
            .truncate(inode(1 + number), ChunkIndex::new(0), 50_001)
            .await
            .expect("truncate");
    }
    store.flush_all().await.expect("flush");
    for number in 0..accepted {
        assert_eq!(
            read_all(&store, chunk(1 + number, 0)).await,
            &pattern(number, 100_000)[..50_001]
        );
    }
    assert!(store.check().is_clean(), "{:?}", store.check());
    for number in 0..accepted {
        store.remove(inode(1 + number)).await.expect("remove");
    }
    let space = store.statfs().await.expect("statfs");
    assert_eq!(space.used_bytes, 0);
    write(&store, 1000, 0, 0, pattern(1, 100_000))
        .await
        .expect("there is space again");
    assert!(store.check().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_full_file_system_is_a_full_target() {
    let disk = SimulatedDisk::new(5 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let mut written = 0;
    let refused = loop {
        match write(&store, 1, written, 0, pattern(1, 64 << 10)).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        store.commit(inode(1)).await.expect("commit");
    };
    assert!(matches!(refused, StoreError::NoSpace), "{refused}");
    assert!(written >= 15, "{written}");
    // The disk grows: so does the target.
    disk.set_capacity(20 << 20);
    write(&store, 1, written, 0, pattern(1, 64 << 10))
        .await
        .expect("there is space now");
}

#[tokio::test(start_paused = true)]
async fn overwriting_a_nearly_full_target_in_place_works() {
    let disk = SimulatedDisk::new(256 << 20);
    let store = open(disk.device(), capacity(4 << 20), 1)
        .await
        .expect("open");
    for index in 0..20 {
        write(&store, 1, index, 0, pattern(9, 96 << 10))
            .await
            .expect("write");
    }
    store.commit(inode(1)).await.expect("commit");
    let rng = common::Seeded::new(5);
    for _ in 0..600 {
        let (index, block) = (rng.below(20) as u32, rng.below(24) as u32);
        write(&store, 1, index, block * 4096, pattern(7, 4096))
            .await
            .expect("overwrite");
        if rng.below(8) == 0 {
            store.flush_all().await.expect("flush");
        }
    }
    store.flush_all().await.expect("flush");
    let status = store.file_status(inode(1));
    assert_eq!(status.allocated_bytes, 20 * (96 << 10));
    assert!(store.statfs().await.expect("statfs").used_bytes <= status.allocated_bytes * 16 / 10);
    assert!(store.check().is_clean());
}

#[tokio::test(start_paused = true)]
async fn dirty_memory_is_bounded_and_writers_wait() {
    let disk = SimulatedDisk::new(256 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let writers = (0..16_u64).map(|writer| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for index in 0..20 {
                write(&store, 1 + writer, index, 0, pattern(writer, 100_000))
                    .await
                    .expect("write");
                assert!(store.status().dirty_bytes <= 1 << 20);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("writer");
    }
    for writer in 0..16 {
        assert_eq!(
            read_all(&store, chunk(1 + writer, 19)).await,
            pattern(writer, 100_000)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_is_compacted_and_nothing_in_it_is_lost() {
    let disk = SimulatedDisk::new(256 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    write(&store, 1, 0, 0, pattern(1, 100_000))
        .await
        .expect("write");
    store.flush_all().await.expect("flush");
    // A cut whose zeroes live in the log only, and journaled data that nothing else writes.
    store
        .truncate(inode(1), ChunkIndex::new(0), 50_001)
        .await
        .expect("truncate");
    let quiet = Payload::from(pattern(2, 3000));
    store
        .write(chunk(2, 0), 10, quiet, Stability::FileSync)
        .await
        .expect("write");
    store.remove(inode(3)).await.expect("remove");
    for round in 0..600_u64 {
        let payload = Payload::from(pattern(round, 8000));
        store
            .write(chunk(4, 0), 0, payload, Stability::FileSync)
            .await
            .expect("write");
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let segments = disk
        .files()
        .iter()
        .filter(|name| name.starts_with("log-"))
        .count();
    assert!(segments <= 5, "{segments} segments after 5 MB of log");
    assert!(!disk.files().contains(&"log-00000001".to_owned()));
    drop(store);
    disk.crash(3);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    assert_eq!(
        read_all(&store, chunk(1, 0)).await,
        &pattern(1, 100_000)[..50_001]
    );
    assert_eq!(read_all(&store, chunk(2, 0)).await[10..], pattern(2, 3000));
    assert_eq!(read_all(&store, chunk(4, 0)).await, pattern(599, 8000));
    write(&store, 1, 0, 60_000, vec![1; 10])
        .await
        .expect("write");
    let hole = store
        .read(chunk(1, 0), range(50_001, 9_000))
        .await
        .expect("read");
    assert!(
        hole.to_contiguous().iter().all(|&byte| byte == 0),
        "cut bytes come back as zeros"
    );
    assert!(store.check().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_cut_outlives_the_log_segment_of_what_it_cut() {
    // The cut is one segment after the state it cuts; the crash comes before, while and after that state's segment
    // is compacted.
    for more in (10..70).step_by(3) {
        let disk = SimulatedDisk::new(256 << 20);
        let store = open(disk.device(), small_config(), 1).await.expect("open");
        write(&store, 1, 0, 0, vec![0xff; 8192])
            .await
            .expect("write");
        store.flush_all().await.expect("flush");
        fill_log(&store, 20).await;
        store
            .truncate(inode(1), ChunkIndex::new(0), 5000)
            .await
            .expect("truncate");
        fill_log(&store, more).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(store);
        disk.crash(3);
        let store = open(disk.device(), small_config(), 2).await.expect("open");
        write(&store, 1, 0, 8191, vec![7]).await.expect("write");
        let mut expected = vec![0xff; 5000];
        expected.resize(8191, 0);
        expected.push(7);
        assert!(
            read_all(&store, chunk(1, 0)).await == expected,
            "cut bytes came back after {more} more records"
        );
        assert!(store.check().is_clean());
    }
}

/// Adds records to the log, and next to nothing to memory.
async fn fill_log(store: &Arc<Store>, records: u64) {
    for round in 0..records {
        let payload = Payload::from(pattern(round, 16_000));
        store
            .write(chunk(9, 0), 0, payload, Stability::FileSync)
            .await
            .expect("write");
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_log_at_once_may_be_more_than_a_segment() {
    let disk = SimulatedDisk::new(256 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let writes = (1..=64).map(|number| {
        let payload = Payload::from(pattern(number, 16_000));
        store.write(chunk(number, 0), 0, payload, Stability::FileSync)
    });
    for written in futures::future::join_all(writes).await {
        written.expect("write");
    }
    drop(store);
    disk.crash(3);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    for number in 1..=64 {
        assert_eq!(
            read_all(&store, chunk(number, 0)).await,
            pattern(number, 16_000)
        );
    }
}

/// Removes a file within a time in which nothing waits for space.
async fn remove_soon(store: &Arc<Store>, number: u64) {
    let removal = store.remove(inode(number));
    let removed = tokio::time::timeout(Duration::from_secs(5), removal).await;
    removed.expect("in time").expect("remove");
}

/// Writes 16,000 bytes synchronously, as often as the store takes them, 200 times at most.
async fn write_until_refused(store: &Arc<Store>) -> u64 {
    for round in 0..200 {
        let payload = Payload::from(pattern(round, 16_000));
        let write = store.write(chunk(9, 0), 0, payload, Stability::FileSync);
        match write.await {
            Ok(_) => {}
            Err(StoreError::NoSpace) => return round,
            Err(error) => panic!("{error}"),
        }
    }
    200
}

#[tokio::test(start_paused = true)]
async fn a_log_without_space_refuses_writes_and_goes_on_when_there_is_some() {
    // With and without a spare segment when the space is gone.
    for records in [0, 8, 30, 100] {
        let disk = SimulatedDisk::new(64 << 20);
        let store = open(disk.device(), small_config(), 1).await.expect("open");
        for number in 1..=8 {
            write(&store, number, 0, 0, pattern(number, 50_000))
                .await
                .expect("write");
        }
        write(&store, 9, 0, 0, pattern(3, 20_000))
            .await
            .expect("write");
        store.flush_all().await.expect("flush");
        fill_log(&store, records).await;
        write(&store, 10, 0, 0, pattern(10, 30_000))
            .await
            .expect("write");
        tokio::time::sleep(Duration::from_secs(1)).await;
        disk.set_capacity(0);
        let mut accepted = 0;
        for _ in 0..3 {
            accepted += write_until_refused(&store).await;
            let unstable = write(&store, 1, 0, 0, vec![1; 10]).await;
            assert!(matches!(unstable, Err(StoreError::NoSpace)), "{unstable:?}");
            assert_eq!(store.statfs().await.expect("statfs").free_bytes, 0);
            tokio::time::sleep(Duration::from_secs(20)).await;
        }
        assert!(accepted < 200, "{accepted} of 600 writes");
        assert_eq!(store.failed(), None);
        // What was accepted can be committed, and removing works.
        store.commit(inode(10)).await.expect("commit");
        remove_soon(&store, 1).await;
        // Also after restarts, of which each would like a segment of its own.
        let mut store = store;
        for restart in 2..6 {
            store.close().await.expect("close");
            drop(store);
            disk.crash(restart);
            disk.set_capacity(0);
            store = open(disk.device(), small_config(), restart)
                .await
                .expect("opens on a full disk");
            remove_soon(&store, restart).await;
            assert!(store.check().is_clean());
        }
        disk.set_capacity(64 << 20);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(write_until_refused(&store).await, 200);
        for number in 1..=5 {
            assert!(read_all(&store, chunk(number, 0)).await.is_empty());
        }
        for number in 6..=8 {
            assert!(read_all(&store, chunk(number, 0)).await == pattern(number, 50_000));
        }
        assert!(read_all(&store, chunk(10, 0)).await == pattern(10, 30_000));
        assert_eq!(store.failed(), None);
        assert!(store.check().is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_in_the_log_gets_it_when_there_is_space() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    for number in 1..=100 {
        write(&store, number, 0, 0, vec![1; 10])
            .await
            .expect("write");
    }
    store.flush_all().await.expect("flush");
    disk.set_capacity(0);
    // Each removal has a frame of its own, of which 64 fill a segment.
    let removals = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for number in 1..=100 {
                store.remove(inode(number)).await.expect("remove");
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!removals.is_finished(), "there is no room for all");
    assert_eq!(store.failed(), None);
    disk.set_capacity(64 << 20);
    removals.await.expect("all removed");
    assert!(store.check().is_clean());
}

#[tokio::test(start_paused = true)]
async fn slabs_leave_space_for_the_log() {
    let config = StoreConfig {
        reserve_bytes: 0,
        ..small_config()
    };
    let disk = SimulatedDisk::new(8 << 20);
    let store = open(disk.device(), config, 1).await.expect("open");
    let mut index = 0;
    while write(&store, 1, index, 0, vec![1; 64 << 10]).await.is_ok() {
        store.commit(inode(1)).await.expect("commit");
        index += 1;
    }
    for _ in 0..600 {
        let overwritten = write(&store, 1, 0, 0, vec![2; 100]).await;
        overwritten.expect("there is room in the log");
        store.commit(inode(1)).await.expect("commit");
    }
}

#[tokio::test(start_paused = true)]
async fn compaction_of_much_kept_data_is_not_begun_without_room_for_it() {
    // Of a segment's 63 blocks, this takes 62 in the log.
    const KEPT: u32 = 58;
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let old = pattern(1, KEPT as usize * 4096);
    write(&store, 1, 0, 0, old).await.expect("write");
    store.close().await.expect("close");
    drop(store);
    disk.restart_process();
    for at in (0..u64::from(KEPT) * 4096).step_by(4096) {
        assert!(disk.flip_bit("slab-0000", at, 0));
    }
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    for number in 2..=6 {
        write(&store, number, 0, 0, vec![1; 10])
            .await
            .expect("write");
    }
    for block in 0..KEPT {
        write(&store, 1, 0, block * 4096 + 8, vec![9; 4080])
            .await
            .expect("write");
    }
    store.flush_all().await.expect("flush");
    tokio::time::sleep(Duration::from_secs(1)).await;
    disk.set_capacity(0);
    for round in 0..3 {
        let filled = write_until_refused(&store);
        let filled = tokio::time::timeout(Duration::from_secs(60), filled).await;
        assert!(filled.expect("refused in time") < 200);
        tokio::time::sleep(Duration::from_secs(20)).await;
        remove_soon(&store, 2 + round).await;
    }
    assert_eq!(store.failed(), None);
    disk.set_capacity(64 << 20);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(write_until_refused(&store).await, 200);
    let last = store.read(chunk(1, 0), range((KEPT - 1) * 4096 + 8, 4080));
    assert!(last.await.expect("kept").to_contiguous()[..] == [9; 4080]);
    assert!(store.check().is_clean(), "{:?}", store.check());
}

/// What takes room in the log and gives space back, of a file with data in memory: the answers.
async fn answers(store: &Arc<Store>, number: u64) -> Vec<Result<(), StoreError>> {
    let (file, chunk) = (inode(number), chunk(number, 0));
    let all = async {
        vec![
            store.commit(file).await.map(drop),
            store.truncate(file, chunk.index, 5).await,
            store.remove_chunk(chunk).await,
            store.remove(file).await,
        ]
    };
    let answered = tokio::time::timeout(Duration::from_secs(1), all).await;
    answered.expect("nobody waits")
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_used_up_says_so_until_a_segment_begins() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    for number in 1..=100 {
        write(&store, number, 0, 0, vec![1; 10])
            .await
            .expect("write");
    }
    store.flush_all().await.expect("flush");
    write(&store, 101, 0, 0, vec![1; 10]).await.expect("write");
    disk.set_capacity(0);
    let removals = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for number in 1..=100 {
                store.remove(inode(number)).await.expect("remove");
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!removals.is_finished(), "there is no room for all");
    for answer in answers(&store, 101).await {
        assert!(matches!(answer, Err(StoreError::NoSpace)), "{answer:?}");
    }
    assert_eq!(read_all(&store, chunk(101, 0)).await, [1; 10]);
    assert_eq!(store.failed(), None);
    disk.set_capacity(64 << 20);
    removals.await.expect("who waited goes on");
    for answer in answers(&store, 101).await {
        answer.expect("there is room again");
    }
    assert!(store.check().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_compacted_still_finds_space_that_came_back() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    fill_log(&store, 30).await;
    disk.set_faults(Faults {
        unreadable: Some(("log-00000001".to_owned(), 0..u64::MAX)),
        ..Faults::default()
    });
    disk.set_capacity(0);
    let filled = tokio::time::timeout(Duration::from_secs(60), write_until_refused(&store)).await;
    assert!(filled.expect("refused in time") < 200);
    disk.set_capacity(64 << 20);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(write_until_refused(&store).await, 200);
    assert!(disk.files().contains(&"log-00000001".to_owned()));
}
