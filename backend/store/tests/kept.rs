//! New bytes in blocks whose old bytes are damaged, when the flush that keeps them is cut short.

mod common;

use std::sync::Arc;

use common::{chunk, inode, open, pattern, range, small_config};
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_store::{Store, StoreError};
use sluice_types::{ChunkId, Payload, Stability};

/// More device operations than the flush of a few blocks takes.
const OPERATIONS: u64 = 16;

/// A disk with a chunk of 100 bytes, whose block is damaged.
async fn damaged() -> SimulatedDisk {
    let disk = SimulatedDisk::new(16 << 20);
    let store = open(disk.device(), small_config(), 1).await.expect("open");
    write(&store, chunk(1, 0), 0, vec![1; 100], Stability::Unstable).await;
    store.close().await.expect("close");
    drop(store);
    disk.restart_process();
    let slab = disk.contents("slab-0000").expect("slab");
    let mut blocks = (0..slab.len()).step_by(4096);
    let at = blocks.find(|&at| slab[at..at + 100] == [1; 100]);
    assert!(disk.flip_bit("slab-0000", at.expect("the block") as u64 + 10, 0));
    disk
}

/// A store on a copy of the disk, with 200 to 300 of the damaged block written, and something in another chunk.
async fn grown(damaged: &SimulatedDisk) -> (SimulatedDisk, Arc<Store>) {
    let disk = damaged.fork();
    let store = open(disk.device(), small_config(), 2).await.expect("open");
    write(&store, chunk(1, 0), 200, vec![7; 100], Stability::Unstable).await;
    write(
        &store,
        chunk(1, 1),
        0,
        pattern(5, 8192),
        Stability::Unstable,
    )
    .await;
    (disk, store)
}

async fn write(store: &Arc<Store>, chunk: ChunkId, at: u32, data: Vec<u8>, stability: Stability) {
    let written = store.write(chunk, at, Payload::from(data), stability);
    written.await.expect("write");
}

#[tokio::test(start_paused = true)]
async fn committed_growth_beside_damage_outlives_a_failed_flush_and_a_crash() {
    let damaged = damaged().await;
    let mut committed = 0;
    for after in 0..OPERATIONS {
        let (disk, store) = grown(&damaged).await;
        disk.set_faults(Faults {
            fail_at: [disk.operations() + after].into(),
            ..Faults::default()
        });
        let flushed = store.flush_all().await;
        disk.set_faults(Faults::default());
        // A failed write of the log is another story.
        if flushed.is_ok() || store.commit(inode(1)).await.is_err() {
            continue;
        }
        committed += 1;
        drop(store);
        disk.crash(after);
        let store = open(disk.device(), small_config(), 3).await.expect("open");
        let read = store.read(chunk(1, 0), range(200, 100)).await;
        let read = read.expect("good bytes").to_contiguous();
        assert!(read[..] == [7; 100], "operation {after} failed: {read:?}");
        assert_eq!(store.list(None, 1)[0].length, 300);
        let beside = store.read(chunk(1, 0), range(0, 100)).await;
        assert!(matches!(beside, Err(StoreError::Checksum { .. })));
        assert!(store.check().is_clean(), "{:?}", store.check());
    }
    assert!(committed > 0, "no slab operation failed");
}

#[tokio::test(start_paused = true)]
async fn what_an_unfinished_flush_kept_does_not_come_back_after_a_cut() {
    let damaged = damaged().await;
    for (after, seed) in (0..OPERATIONS).flat_map(|after| [(after, 2), (after, 4)]) {
        let (disk, store) = grown(&damaged).await;
        disk.set_faults(Faults {
            crash_at: Some(disk.operations() + after),
            ..Faults::default()
        });
        // Cut short, or not.
        let _flushed = store.flush_all().await;
        drop(store);
        disk.crash(seed);
        let store = open(disk.device(), small_config(), 3).await.expect("open");
        let cut = store.truncate(inode(1), chunk(1, 0).index, 150).await;
        cut.expect("cut");
        write(&store, chunk(1, 0), 3000, vec![9; 10], Stability::FileSync).await;
        if let Ok(read) = store.read(chunk(1, 0), range(200, 100)).await {
            let read = read.to_contiguous();
            assert!(read[..] == [0; 100], "crash at {after}, {seed}: {read:?}");
        }
    }
}
