//! First figures of a store on a directory: sequential and random, read and write.
//!
//! `cargo run --release -p sluice-store --example throughput -- DIRECTORY [threads]`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_store::device::{DeviceOptions, open_directory};
use sluice_store::{Store, StoreConfig};
use sluice_types::{
    ChunkId, ChunkIndex, ChunkRange, InodeId, Payload, Stability, SystemClock, SystemRng,
};

const CHUNKS: u32 = 512;
const CHUNK_BYTES: u32 = 1 << 20;

fn chunk(inode: u64, index: u32) -> ChunkId {
    ChunkId {
        inode: InodeId::new(inode).expect("not zero"),
        index: ChunkIndex::new(index),
    }
}

/// Runs `count` operations, `in_flight` at a time, and says how fast.
async fn measure<F>(
    name: &str,
    count: u32,
    in_flight: u32,
    bytes: u64,
    operation: impl Fn(u32) -> F + Send + Sync + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let operation = Arc::new(operation);
    #[expect(clippy::disallowed_methods, reason = "measures real time")]
    let begun = Instant::now();
    let tasks = (0..in_flight).map(|task| {
        let operation = Arc::clone(&operation);
        tokio::spawn(async move {
            for number in (task..count).step_by(in_flight as usize) {
                operation(number).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("task");
    }
    report(name, count, bytes, begun.elapsed());
}

fn report(name: &str, count: u32, bytes: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "{name:<44} {:>9.0} ops/s {:>9.1} MiB/s",
        f64::from(count) / seconds,
        (u64::from(count) * bytes) as f64 / seconds / f64::from(1 << 20)
    );
}

fn scattered(number: u32) -> (u32, u32) {
    let spread = number.wrapping_mul(2_654_435_761);
    (
        spread % CHUNKS,
        (spread >> 16) % (CHUNK_BYTES / 4096) * 4096,
    )
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().expect("a directory"));
    let options = DeviceOptions {
        io_uring: arguments.next().is_none(),
        ..DeviceOptions::default()
    };
    let device = open_directory(&directory, options).await.expect("device");
    let config = StoreConfig::default();
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    let store = Store::open(device, config, clock, rng).await.expect("open");
    let big = Payload::from(vec![7; CHUNK_BYTES as usize]);
    let small = Payload::from(vec![9; 4096]);
    for round in ["new", "overwrite"] {
        let (writer, payload) = (Arc::clone(&store), big.clone());
        let name = format!("sequential write 1 MiB, {round}, 16 in flight");
        measure(&name, CHUNKS, 16, 1 << 20, move |number| {
            let (store, payload) = (Arc::clone(&writer), payload.clone());
            async move {
                let written = store
                    .write(chunk(1, number), 0, payload, Stability::Unstable)
                    .await;
                written.expect("write");
            }
        })
        .await;
        let committer = Arc::clone(&store);
        measure(
            "  and its commit",
            1,
            1,
            u64::from(CHUNKS) << 20,
            move |_| {
                let store = Arc::clone(&committer);
                async move {
                    let file = InodeId::new(1).expect("not zero");
                    store.commit(file).await.expect("commit");
                }
            },
        )
        .await;
    }
    read(
        &store,
        "sequential read 1 MiB, 16 in flight",
        CHUNKS * 4,
        16,
        1 << 20,
        |number| (number % CHUNKS, 0),
    )
    .await;
    read(
        &store,
        "random read 4 KiB, 32 in flight",
        50_000,
        32,
        4096,
        scattered,
    )
    .await;
    read(
        &store,
        "random read 4 KiB, 1 in flight",
        5_000,
        1,
        4096,
        scattered,
    )
    .await;
    write(
        &store,
        "random write 4 KiB UNSTABLE, 32 in flight",
        50_000,
        32,
        &small,
        Stability::Unstable,
    )
    .await;
    let committer = Arc::clone(&store);
    measure("  and its commit", 1, 1, 50_000 * 4096, move |_| {
        let store = Arc::clone(&committer);
        async move {
            let file = InodeId::new(1).expect("not zero");
            store.commit(file).await.expect("commit");
        }
    })
    .await;
    write(
        &store,
        "random write 4 KiB FILE_SYNC, 1 in flight",
        2_000,
        1,
        &small,
        Stability::FileSync,
    )
    .await;
    write(
        &store,
        "random write 4 KiB FILE_SYNC, 32 in flight",
        50_000,
        32,
        &small,
        Stability::FileSync,
    )
    .await;
    store.flush_all().await.expect("flush");
    read(
        &store,
        "random read 4 KiB after random writes, 32",
        50_000,
        32,
        4096,
        scattered,
    )
    .await;
    println!(
        "{:?} {:?}",
        store.statfs().await.expect("statfs"),
        store.check()
    );
    store.close().await.expect("close");
}

async fn read(
    store: &Arc<Store>,
    name: &str,
    count: u32,
    in_flight: u32,
    bytes: u32,
    place: fn(u32) -> (u32, u32),
) {
    let store = Arc::clone(store);
    measure(name, count, in_flight, u64::from(bytes), move |number| {
        let store = Arc::clone(&store);
        async move {
            let (index, start) = place(number);
            let range = ChunkRange {
                start,
                length: bytes,
            };
            let read = store.read(chunk(1, index), range).await.expect("read");
            assert_eq!(read.len(), bytes as usize);
        }
    })
    .await;
}

async fn write(
    store: &Arc<Store>,
    name: &str,
    count: u32,
    in_flight: u32,
    payload: &Payload,
    stability: Stability,
) {
    let (store, payload) = (Arc::clone(store), payload.clone());
    let bytes = payload.len() as u64;
    measure(name, count, in_flight, bytes, move |number| {
        let (store, payload) = (Arc::clone(&store), payload.clone());
        async move {
            let (index, start) = scattered(number);
            store
                .write(chunk(1, index), start, payload, stability)
                .await
                .expect("write");
        }
    })
    .await;
}
