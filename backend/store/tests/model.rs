//! Random operations against a plain model, with reopening in between.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{Model, Operation, Seeded, open, range, read_all, small_config};
use sluice_store::device::{Device, DeviceOptions, ThreadDevice, open_directory};
use sluice_store::simulated::SimulatedDisk;
use sluice_store::{Store, StoreError};
use sluice_types::Rng;

async fn compare(store: &Arc<Store>, model: &Model, context: &str) {
    for (&chunk, expected) in &model.chunks {
        let mut found = read_all(store, chunk).await;
        assert!(
            found.len() <= expected.len(),
            "{context}: {chunk} is too long"
        );
        // Beyond the last written byte a reader sees zeros up to the file's size.
        found.resize(expected.len(), 0);
        if &found != expected {
            let at = found
                .iter()
                .zip(expected)
                .position(|(left, right)| left != right);
            panic!("{context}: {chunk} differs at {at:?} of {}", expected.len());
        }
    }
    for entry in store.list(None, usize::MAX) {
        assert!(
            model.chunks.contains_key(&entry.chunk),
            "{context}: {} should be gone",
            entry.chunk
        );
    }
    let report = store.check();
    assert!(report.is_clean(), "{context}: {report:?}");
}

async fn run_script(
    device: impl AsyncFn() -> Arc<dyn Device>,
    seed: u64,
    operations: u32,
    reopen_every: u64,
) {
    let rng = Seeded::new(seed);
    let mut model = Model::default();
    let mut removed_before = 0;
    let mut store = open(device().await, small_config(), seed)
        .await
        .expect("open");
    for number in 0..operations {
        let context = format!("seed {seed}, operation {number}");
        let operation = Operation::random(&rng, 4, removed_before);
        match operation.run(&store).await {
            Ok(()) => operation.apply(&mut model),
            Err(StoreError::Removed(_)) => removed_before += 1,
            Err(error) => panic!("{context}: {error}"),
        }
        if let Operation::Write {
            chunk,
            offset,
            data,
            ..
        } = &operation
            && model.chunks.contains_key(chunk)
        {
            let read = store
                .read(*chunk, range(*offset, data.len() as u32))
                .await
                .expect("read");
            assert_eq!(read.to_contiguous(), &data[..], "{context}: just written");
        }
        if rng.below(reopen_every) == 0 {
            compare(&store, &model, &context).await;
            store.close().await.expect("close");
            drop(store);
            store = open(device().await, small_config(), rng.next_u64())
                .await
                .expect("reopen");
            compare(&store, &model, &context).await;
        }
    }
    compare(&store, &model, "at the end").await;
    let scrubbed = store.scrub(None, u64::MAX).await.expect("scrub");
    assert!(scrubbed.errors.is_empty() && scrubbed.next.is_none());
}

#[tokio::test]
async fn random_operations_agree_with_the_model() {
    for seed in 0..6 {
        let disk = SimulatedDisk::new(256 << 20);
        run_script(
            async || {
                disk.restart_process();
                disk.device()
            },
            seed,
            400,
            40,
        )
        .await;
    }
}

/// A device on a real directory; waits until the one before has let go of it.
async fn real(directory: &Path, io_uring: bool) -> Arc<dyn Device> {
    let options = DeviceOptions {
        io_uring,
        ..DeviceOptions::default()
    };
    open_directory(directory, options).await.expect("device")
}

/// Where the kernel refuses io_uring, this tests the fallback once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_directory_with_io_uring() {
    let directory = tempfile::tempdir().expect("tempdir");
    run_script(async || real(directory.path(), true).await, 1, 200, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_directory_with_threads() {
    let directory = tempfile::tempdir().expect("tempdir");
    run_script(async || real(directory.path(), false).await, 2, 200, 40).await;
}

#[tokio::test]
async fn a_directory_has_one_store_at_a_time() {
    let directory = tempfile::tempdir().expect("tempdir");
    let first = ThreadDevice::open(directory.path(), DeviceOptions::default()).expect("device");
    let second = ThreadDevice::open(directory.path(), DeviceOptions::default());
    assert_eq!(
        second.expect_err("locked").kind(),
        std::io::ErrorKind::WouldBlock
    );
    drop(first);
    ThreadDevice::open(directory.path(), DeviceOptions::default()).expect("free again");
}

#[tokio::test]
async fn the_best_device_is_chosen_and_the_directory_made() {
    let directory = tempfile::tempdir().expect("tempdir");
    let path = directory.path().join("a/b");
    let device = open_directory(&path, DeviceOptions::default())
        .await
        .expect("device");
    let store = open(device, small_config(), 1).await.expect("open");
    assert_eq!(store.list(None, 10), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_from_a_real_directory_go_on_when_the_pool_is_empty() {
    const BYTES: usize = 256 << 10;
    for io_uring in [true, false] {
        let directory = tempfile::tempdir().expect("tempdir");
        let options = DeviceOptions {
            // The smallest pool: 16 large buffers, so 4 of these reads.
            read_pool_bytes: 0,
            io_uring,
            ..DeviceOptions::default()
        };
        let device = open_directory(directory.path(), options).await;
        let store = common::open(device.expect("device"), small_config(), 1).await;
        let store = store.expect("open");
        let data = common::pattern(1, BYTES);
        let payload = sluice_types::Payload::from(data.clone());
        let stability = sluice_types::Stability::FileSync;
        let written = store
            .write(common::chunk(1, 0), 0, payload, stability)
            .await;
        written.expect("write");
        let mut kept = Vec::new();
        for _ in 0..12 {
            let range = common::range(0, BYTES as u32);
            let read = store.read(common::chunk(1, 0), range);
            let read = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
            kept.push(read.expect("no waiting").expect("read"));
        }
        assert!(kept.iter().all(|read| read.to_contiguous() == data));
    }
}
