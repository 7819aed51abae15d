//! Places of a disk that cannot be read: they are errors of what lies there, and of nothing else.

mod common;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use common::{chunk, open, pattern, range, read_all, small_config};
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_store::{Store, StoreError};
use sluice_types::{Payload, Stability};

const BYTES: usize = 256 << 10;

/// A store with a file of which a sector is bad, and where in the chunk that is.
async fn with_bad_sector(disk: &SimulatedDisk) -> (Arc<Store>, Range<u64>) {
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    let data = pattern(1, BYTES);
    let written = store
        .write(chunk(1, 0), 0, data.clone().into(), Stability::FileSync)
        .await;
    written.expect("write");
    let slab = disk.contents("slab-0000").expect("slab");
    let at = slab
        .windows(64)
        .position(|window| window == &data[70_000..70_064])
        .expect("data in the slab") as u64;
    let bad = at..at + 512;
    fail_reads_of(disk, bad.clone());
    (store, bad)
}

fn fail_reads_of(disk: &SimulatedDisk, bad: Range<u64>) {
    disk.set_faults(Faults {
        unreadable: Some(("slab-0000".to_owned(), bad)),
        ..Faults::default()
    });
}

#[tokio::test(start_paused = true)]
async fn reading_a_bad_sector_again_and_again_keeps_the_target_in_service() {
    let disk = SimulatedDisk::new(64 << 20);
    let (store, _) = with_bad_sector(&disk).await;
    for round in 0..20 {
        let read = store.read(chunk(1, 0), range(round * 200, 100_000)).await;
        assert!(matches!(read, Err(StoreError::Device { .. })), "{read:?}");
    }
    assert_eq!(store.failed(), None);
    let good = store.read(chunk(1, 0), range(0, 65_536)).await;
    assert!(good.expect("read").to_contiguous() == pattern(1, BYTES)[..65_536]);
}

#[tokio::test(start_paused = true)]
async fn a_write_beside_a_bad_sector_is_kept_and_the_target_stays_in_service() {
    let disk = SimulatedDisk::new(64 << 20);
    let (store, bad) = with_bad_sector(&disk).await;
    let new = pattern(2, 5000);
    let payload = Payload::from(new.clone());
    let written = store
        .write(chunk(1, 0), 66_000, payload, Stability::Unstable)
        .await;
    written.expect("write");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(store.failed(), None);
    store.commit(common::inode(1)).await.expect("commit");
    let read = store.read(chunk(1, 0), range(66_000, 5000)).await;
    assert!(read.expect("read").to_contiguous() == new);
    drop(store);
    disk.crash(1);
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    fail_reads_of(&disk, bad);
    let read = store.read(chunk(1, 0), range(66_000, 5000)).await;
    assert!(read.expect("read").to_contiguous() == new);
    assert!(store.check().is_clean(), "{:?}", store.check());
}

#[tokio::test(start_paused = true)]
async fn a_scrub_goes_on_behind_a_bad_sector() {
    let disk = SimulatedDisk::new(64 << 20);
    let (store, _) = with_bad_sector(&disk).await;
    for number in 2..=5 {
        let payload = Payload::from(pattern(number, BYTES));
        let written = store
            .write(chunk(number, 0), 0, payload, Stability::FileSync)
            .await;
        written.expect("write");
    }
    for _ in 0..20 {
        let report = store.scrub(None, u64::MAX).await.expect("scrub");
        assert_eq!(report.next, None);
        assert_eq!(report.checked_bytes, 5 * BYTES as u64);
        assert_eq!(report.errors.len(), 1);
        assert_eq!(report.errors[0].chunk, chunk(1, 0));
    }
    assert_eq!(store.failed(), None);
    // Writing over it heals it.
    let data = pattern(3, BYTES);
    let written = store
        .write(chunk(1, 0), 0, data.clone().into(), Stability::FileSync)
        .await;
    written.expect("write");
    let report = store.scrub(None, u64::MAX).await.expect("scrub");
    assert!(report.errors.is_empty(), "{report:?}");
    assert!(read_all(&store, chunk(1, 0)).await == data);
}
