//! Damaged disks: what is found, where, and that nothing damaged is handed out or made worse.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{chunk, inode, open, pattern, range, read_all, small_config};
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_store::{FormatPolicy, Membership, Store, StoreConfig, StoreError};
use sluice_types::{FileSystemId, FsError, Payload, Stability, TargetId, TargetUuid};

async fn write(store: &Arc<Store>, number: u64, offset: u32, data: &[u8], stability: Stability) {
    let payload = Payload::from(data.to_vec());
    store
        .write(chunk(number, 0), offset, payload, stability)
        .await
        .expect("write");
}

/// A closed store with two files of 100 KiB, and what is in them.
async fn prepared() -> (SimulatedDisk, Vec<u8>) {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let data = pattern(1, 100 << 10);
    write(&store, 1, 0, &data, Stability::Unstable).await;
    write(&store, 2, 0, &data, Stability::Unstable).await;
    for number in 1..=20 {
        write(&store, 3, 0, &pattern(number, 5000), Stability::FileSync).await;
    }
    store.close().await.expect("close");
    disk.restart_process();
    (disk, data)
}

async fn opening_fails(disk: &SimulatedDisk, says: &str) {
    disk.restart_process();
    match open(disk.device(), small_config(), 2).await {
        Err(StoreError::Corrupt(what)) => {
            assert!(what.contains(says), "{what:?} does not mention {says:?}");
        }
        other => panic!("expected damage ({says}), found {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_flipped_bit_in_a_slab_is_found_by_read_and_by_scrub() {
    let (disk, data) = prepared().await;
    let slab = disk.contents("slab-0000").expect("slab");
    let at = slab
        .windows(64)
        .position(|window| window == &data[70_000..70_064])
        .expect("data in the slab");
    assert!(disk.flip_bit("slab-0000", at as u64, 3));
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    let damaged: Vec<_> = store.scrub(None, u64::MAX).await.expect("scrub").errors;
    assert_eq!(damaged.len(), 1);
    let chunk = damaged[0].chunk;
    let read = store.read(chunk, range(69_000, 2000)).await;
    assert!(matches!(read, Err(StoreError::Checksum { .. })), "{read:?}");
    assert_eq!(FsError::from(read.expect_err("damaged")), FsError::Io);
    let intact = store
        .read(chunk, range(0, 60_000))
        .await
        .expect("other extents are good");
    assert_eq!(intact.to_contiguous(), &data[..60_000]);
    assert_eq!(store.status().checksum_errors, 2);
    // Writing over the damage heals it.
    store
        .write(chunk, 0, Payload::from(data.clone()), Stability::FileSync)
        .await
        .expect("write");
    assert!(
        store
            .scrub(None, u64::MAX)
            .await
            .expect("scrub")
            .errors
            .is_empty()
    );
    assert_eq!(read_all(&store, chunk).await, data);
}

/// Flips a bit near the start of each of the two large files' first extents.
fn damage_both(disk: &SimulatedDisk, data: &[u8]) {
    let slab = disk.contents("slab-0000").expect("slab");
    let starts = (0..slab.len()).step_by(4096);
    let starts: Vec<usize> = starts
        .filter(|&at| slab[at..at + 64] == data[..64])
        .collect();
    assert_eq!(starts.len(), 2);
    for at in starts {
        assert!(disk.flip_bit("slab-0000", at as u64 + 10, 0));
    }
}

/// Fills the log until all segments that there are have been compacted.
async fn compact(store: &Arc<Store>, disk: &SimulatedDisk) {
    let segments = || {
        let names = disk.files().into_iter();
        names.filter(|name| name.starts_with("log-0"))
    };
    let newest = segments().max();
    for turn in 0..2000 {
        write(store, 3, 0, &pattern(turn, 10_000), Stability::FileSync).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        if segments().min() > newest {
            return;
        }
    }
    panic!("the log is not compacted");
}

async fn is_damaged(store: &Arc<Store>, number: u64, start: u32, length: u32) -> bool {
    let read = store.read(chunk(number, 0), range(start, length)).await;
    matches!(read, Err(StoreError::Checksum { .. }))
}

async fn bytes_at(store: &Arc<Store>, number: u64, start: u32, length: u32) -> Vec<u8> {
    let read = store.read(chunk(number, 0), range(start, length)).await;
    read.expect("good bytes").to_contiguous().to_vec()
}

/// What must hold of [`a_partial_write_over_damage_is_durable_and_the_rest_stays_damaged`] from its writes on.
async fn check_around_damage(store: &Arc<Store>, data: &[u8]) {
    assert_eq!(bytes_at(store, 1, 100, 20_000).await, [1; 20_000]);
    assert_eq!(bytes_at(store, 1, 65_536, 1000).await, data[65_536..66_536]);
    for (start, length) in [(0, 100), (99, 2), (20_099, 2), (20_100, 10), (60_000, 10)] {
        assert!(is_damaged(store, 1, start, length).await, "at {start}");
    }
    assert!(is_damaged(store, 2, 0, 1).await && is_damaged(store, 2, 999, 1).await);
    assert_eq!(bytes_at(store, 2, 1000, 7192).await, [0; 7192]);
    assert_eq!(bytes_at(store, 2, 8192, 10).await, [2; 10]);
    assert_eq!(store.list(None, 9)[1].length, 8202);
    let scrubbed = store.scrub(None, u64::MAX).await.expect("scrub");
    assert_eq!(scrubbed.errors.len(), 2);
    assert!(store.check().is_clean(), "{:?}", store.check());
    assert!(store.failed().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_partial_write_over_damage_is_durable_and_the_rest_stays_damaged() {
    let (disk, data) = prepared().await;
    damage_both(&disk, &data);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    write(&store, 1, 100, &[1; 20_000], Stability::FileSync).await;
    // A cut in a damaged block zeroes what comes after it, also when the file grows again.
    let (file, index) = (inode(2), chunk(2, 0).index);
    store.truncate(file, index, 1000).await.expect("cut");
    store.flush_all().await.expect("the cut block stays");
    assert_eq!(store.list(None, 9)[1].length, 1000);
    write(&store, 2, 8192, &[2; 10], Stability::Unstable).await;
    store.commit(inode(2)).await.expect("commit");
    check_around_damage(&store, &data).await;
    drop(store);
    disk.crash(5);
    let store = open(disk.device(), small_config(), 3).await.expect("open");
    check_around_damage(&store, &data).await;
    for seed in [6, 7] {
        let store = open_again(&disk, seed).await;
        compact(&store, &disk).await;
        check_around_damage(&store, &data).await;
        drop(store);
        disk.crash(seed);
    }
    let store = open_again(&disk, 8).await;
    check_around_damage(&store, &data).await;
    store.close().await.expect("close");
    let store = open_again(&disk, 9).await;
    check_around_damage(&store, &data).await;
    // Writing the damaged blocks as a whole heals them.
    for number in [1, 2] {
        write(&store, number, 0, &data, Stability::Unstable).await;
        store.commit(inode(number)).await.expect("commit");
        assert_eq!(read_all(&store, chunk(number, 0)).await, data);
    }
    store.flush_all().await.expect("flush");
    let scrubbed = store.scrub(None, u64::MAX).await.expect("scrub");
    assert!(scrubbed.errors.is_empty());
}

async fn open_again(disk: &SimulatedDisk, seed: u64) -> Arc<Store> {
    disk.restart_process();
    open(disk.device(), small_config(), seed)
        .await
        .expect("open")
}

#[tokio::test(start_paused = true)]
async fn more_damage_under_new_bytes_than_the_log_can_carry_is_a_failing_disk() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let data = pattern(1, 512 << 10);
    write(&store, 1, 0, &data, Stability::Unstable).await;
    store.close().await.expect("close");
    for at in (0..512 << 10).step_by(4096) {
        assert!(disk.flip_bit("slab-0000", at, 0));
    }
    let store = open_again(&disk, 2).await;
    let mut written = 0;
    for block in 0..128 {
        let payload = Payload::from(vec![9; 4080]);
        let sync = Stability::FileSync;
        let done = store.write(chunk(1, 0), block * 4096 + 8, payload, sync);
        if done.await.is_err() {
            break;
        }
        written = block;
        if block == 30 {
            store.flush_all().await.expect("flush");
            assert!(store.failed().is_none(), "a little can be carried");
        }
    }
    // Perhaps nobody has flushed yet.
    let _failing = store.flush_all().await;
    let reason = store.failed().expect("out of service");
    assert!(reason.contains("damage"), "{reason}");
    drop(store);
    disk.crash(1);
    let store = open_again(&disk, 3).await;
    for block in [0, written] {
        let found = bytes_at(&store, 1, block * 4096 + 8, 4080).await;
        assert!(found == [9; 4080], "block {block}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_frame_before_good_ones_is_damage_not_a_torn_tail() {
    let (disk, _) = prepared().await;
    assert!(disk.flip_bit("log-00000001", 4096 + 100, 1));
    opening_fails(&disk, "bad").await;
}

#[tokio::test(start_paused = true)]
async fn a_segment_without_its_header_is_damage_even_the_last() {
    let (disk, _) = prepared().await;
    assert!(disk.flip_bit("log-00000001", 45, 1));
    opening_fails(&disk, "no header").await;
}

#[tokio::test(start_paused = true)]
async fn a_torn_last_frame_is_dropped() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    write(&store, 1, 0, &[1; 100], Stability::FileSync).await;
    write(&store, 1, 0, &[2; 100], Stability::FileSync).await;
    drop(store);
    disk.restart_process();
    let log = disk.contents("log-00000001").expect("log");
    let last = (0..log.len())
        .step_by(4096)
        .rfind(|&at| &log[at..at + 4] == b"SLFR")
        .expect("frame");
    assert!(disk.flip_bit("log-00000001", last as u64 + 40, 1));
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    assert_eq!(read_all(&store, chunk(1, 0)).await, [1; 100]);
}

#[tokio::test(start_paused = true)]
async fn missing_files_are_noticed() {
    let (disk, _) = prepared().await;
    let without = |name: &str| {
        let disk = disk.fork();
        disk.lose_file(name);
        disk
    };
    opening_fails(&without("slab-0000"), "beyond").await;
    opening_fails(&without("superblock"), "superblock").await;
    // Another start begins another segment: now the first can go missing.
    drop(open(disk.device(), small_config(), 3).await.expect("open"));
    opening_fails(&without("log-00000001"), "missing").await;
}

#[tokio::test(start_paused = true)]
async fn a_damaged_superblock_is_noticed() {
    let (disk, _) = prepared().await;
    assert!(disk.flip_bit("superblock", 20, 5));
    opening_fails(&disk, "superblock: checksum").await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_directory_is_not_taken_for_a_known_target() {
    let config = |format| StoreConfig {
        format,
        ..small_config()
    };
    let disk = SimulatedDisk::new(64 << 20);
    let opened = open(disk.device(), config(FormatPolicy::Never), 1).await;
    assert!(
        matches!(opened, Err(StoreError::NotFormatted)),
        "{opened:?}"
    );
    let uuid = TargetUuid::new(1);
    let opened = open(disk.device(), config(FormatPolicy::Expect(uuid)), 1).await;
    assert!(
        matches!(opened, Err(StoreError::Missing { expected }) if expected == uuid),
        "{opened:?}"
    );
    assert!(disk.files().is_empty());
    let store = open(disk.device(), config(FormatPolicy::IfEmpty), 1)
        .await
        .expect("open");
    let uuid = store.uuid();
    store.join(member(7, None)).await.expect("a number");
    store.close().await.expect("close");
    disk.restart_process();
    let other = FormatPolicy::Expect(TargetUuid::new(1));
    let opened = open(disk.device(), config(other), 1).await;
    assert!(
        matches!(opened, Err(StoreError::WrongTarget { .. })),
        "{opened:?}"
    );
    let store = open(disk.device(), config(FormatPolicy::Expect(uuid)), 2)
        .await
        .expect("open");
    assert_eq!(
        (store.uuid(), store.membership().await),
        (uuid, member(7, None))
    );
}

fn member(target: u32, file_system: Option<u64>) -> Membership {
    Membership {
        target: TargetId::new(target),
        file_system: file_system.map(FileSystemId::new),
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_belongs_to_one_file_system_for_ever() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    for number in [7, 8] {
        let unformed = store.join(member(number, None)).await;
        unformed.expect("a cluster that is not formed yet may number anew");
    }
    store.join(member(3, Some(42))).await.expect("join");
    drop(store);
    disk.crash(1);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    assert_eq!(store.membership().await, member(3, Some(42)));
    for other in [member(3, Some(43)), member(3, None)] {
        let refused = store.join(other).await.expect_err("another file system");
        assert!(
            matches!(&refused, StoreError::OtherFileSystem { own, asked } if own.raw() == 42 && *asked == other.file_system),
            "{refused:?}"
        );
    }
    assert_eq!(store.membership().await, member(3, Some(42)));
    let renumbered = store.join(member(4, Some(42))).await;
    renumbered.expect("its own file system may number it anew");
}

#[tokio::test(start_paused = true)]
async fn a_failing_log_takes_the_target_out_of_service_and_data_stays_readable() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    write(&store, 1, 0, &[1; 5000], Stability::FileSync).await;
    let boot = store.boot();
    disk.set_faults(Faults {
        fail_flushes: true,
        ..Faults::default()
    });
    let payload = Payload::from(vec![2; 100]);
    let failed = store
        .write(chunk(1, 0), 0, payload.clone(), Stability::FileSync)
        .await;
    assert_eq!(FsError::from(failed.expect_err("no flush")), FsError::Io);
    disk.set_faults(Faults::default());
    assert!(store.failed().is_some());
    let refused = store
        .write(chunk(1, 0), 0, payload, Stability::Unstable)
        .await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    assert!(store.commit(inode(1)).await.is_err());
    assert_eq!(read_all(&store, chunk(1, 0)).await[200..], [1; 4800]);
    drop(store);
    disk.crash(1);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    assert_ne!(store.boot(), boot, "a restart is seen by the verifier");
}

#[tokio::test(start_paused = true)]
async fn data_that_could_not_be_written_is_kept_and_written_later() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let data = pattern(3, 90_000);
    write(&store, 1, 0, &data, Stability::Unstable).await;
    disk.set_faults(Faults {
        fail_writes: true,
        ..Faults::default()
    });
    assert!(store.commit(inode(1)).await.is_err());
    assert_eq!(read_all(&store, chunk(1, 0)).await, data);
    disk.set_faults(Faults::default());
    let done = store
        .commit(inode(1))
        .await
        .expect("the disk is good again");
    assert_eq!(done.boot, store.boot(), "nothing was lost");
    assert!(store.failed().is_none());
    drop(store);
    disk.crash(4);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    assert_eq!(read_all(&store, chunk(1, 0)).await, data);
}

#[tokio::test(start_paused = true)]
async fn repeated_errors_take_the_target_out_of_service() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    write(&store, 1, 0, &pattern(3, 90_000), Stability::Unstable).await;
    disk.set_faults(Faults {
        fail_writes: true,
        ..Faults::default()
    });
    for _ in 0..20 {
        assert!(store.commit(inode(1)).await.is_err());
    }
    assert!(store.failed().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_now_and_then_on_reading_stays_in_service() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    write(&store, 1, 0, &pattern(3, 90_000), Stability::FileSync).await;
    for _ in 0..20 {
        disk.set_faults(Faults {
            fail_reads: true,
            ..Faults::default()
        });
        let failed = store.read(chunk(1, 0), range(0, 10)).await;
        assert!(failed.is_err());
        disk.set_faults(Faults::default());
        assert_eq!(read_all(&store, chunk(1, 0)).await, pattern(3, 90_000));
    }
    assert!(store.failed().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failed_flush_is_not_forgotten_by_those_who_flush_next() {
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    for number in [1, 2] {
        write(
            &store,
            number,
            0,
            &pattern(number, 90_000),
            Stability::Unstable,
        )
        .await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    // The first writes, the second writes, then the first's flush takes both down with it.
    disk.set_faults(Faults {
        fail_at: [disk.operations() + 2].into(),
        latency: Some(Duration::from_millis(10)),
        ..Faults::default()
    });
    let later = async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.commit(inode(2)).await
    };
    let (first, second) = tokio::join!(store.commit(inode(1)), later);
    assert!(first.is_err(), "it asked for the flush that failed");
    for (number, done) in [(1, first), (2, second)] {
        if done.is_err() {
            store.commit(inode(number)).await.expect("commit again");
        }
    }
    drop(store);
    disk.crash(1);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    for number in [1, 2] {
        assert!(
            read_all(&store, chunk(number, 0)).await == pattern(number, 90_000),
            "file {number} was committed"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn blocks_are_given_back_only_when_no_write_to_them_is_under_way() {
    const BYTES: usize = 2 << 20;
    let config = StoreConfig {
        slab_bytes: 4 << 20,
        dirty_bytes_max: 16 << 20,
        dirty_bytes_background: 16 << 20,
        ..small_config()
    };
    let disk = SimulatedDisk::new(64 << 20);
    let store = open(disk.device(), config, 1).await.expect("open");
    write(&store, 1, 0, &pattern(1, BYTES), Stability::Unstable).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    // Of two writes to the slab, one fails at once and the other takes long.
    disk.set_faults(Faults {
        fail_at: [disk.operations()].into(),
        slow_writes: Some((1 << 20, Duration::from_millis(100))),
        ..Faults::default()
    });
    assert!(store.commit(inode(1)).await.is_err());
    disk.set_faults(Faults::default());
    store.remove(inode(1)).await.expect("remove");
    for number in [2, 3] {
        write(
            &store,
            number,
            0,
            &pattern(number, BYTES),
            Stability::Unstable,
        )
        .await;
        store.commit(inode(number)).await.expect("commit");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for number in [2, 3] {
        assert!(read_all(&store, chunk(number, 0)).await == pattern(number, BYTES));
    }
}
