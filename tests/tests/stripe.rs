//! A file's chunks lie evenly on the four targets, and come back from them each in its place. (That one read asks its
//! targets at once is a test of `backend/client`.)

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;
use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::nfs_client::files::{make_file, pattern, write_all};

const FILE_BYTES: usize = 256 << 20;
const CHUNK_BYTES: f64 = (1 << 20) as f64;
const TARGETS: usize = 4;

const READ_BYTES: &str = "sluice_store_read_bytes_total";
const READS: &str = "sluice_store_reads_total";

async fn check(shape: Shape) {
    let mut cluster = Cluster::start(shape).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let file = make_file(&client, root, "large").await.unwrap();
    let pattern = pattern(FILE_BYTES);
    write_all(&client, file, 0, &pattern).await.unwrap();

    let layout = cluster
        .admin(&["file", "layout", "/large", "--json"])
        .unwrap();
    let layout: Value = serde_json::from_str(&layout).unwrap();
    assert_eq!(layout["size_bytes"], FILE_BYTES);
    let shares = layout["targets"].as_array().unwrap();
    let bytes: Vec<f64> = shares
        .iter()
        .map(|share| share["bytes"].as_f64().unwrap())
        .collect();
    assert_eq!(bytes.len(), TARGETS, "{layout}");
    assert_eq!(bytes.iter().sum::<f64>(), FILE_BYTES as f64);
    assert!(
        spread(&bytes) <= CHUNK_BYTES,
        "not within one chunk of evenly: {bytes:?}"
    );

    // After a restart nothing is in a cache: each target reads its share from its disk.
    cluster.terminate().unwrap();
    cluster.start_all().unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let file = client.lookup(root, b"large").await.unwrap().object;
    let before = by_target(&cluster, READ_BYTES);
    for half in 0..2 {
        let reads = (0..128u64).map(|index| {
            let client = &client;
            let offset = (half * 128 + index) << 20;
            async move { (offset, client.read(file, offset, 1 << 20).await.unwrap()) }
        });
        for (offset, read) in join_all(reads).await {
            let expected = &pattern[offset as usize..offset as usize + read.data.len()];
            assert!(
                !read.data.is_empty() && read.data == expected,
                "wrong data at {offset}"
            );
        }
    }
    let after = by_target(&cluster, READ_BYTES);
    assert_eq!(after.len(), TARGETS, "{after:?}");
    let read: Vec<f64> = after
        .iter()
        .map(|(target, bytes)| bytes - before.get(target).unwrap_or(&0.0))
        .collect();
    let total: f64 = read.iter().sum();
    assert!(
        total >= 0.9 * FILE_BYTES as f64,
        "targets read {read:?} in all"
    );
    assert!(
        spread(&read) <= 0.2 * FILE_BYTES as f64 / TARGETS as f64,
        "not read evenly: {read:?}"
    );
    let counts = by_target(&cluster, READS);
    assert!(counts.values().all(|count| *count > 0.0), "{counts:?}");
    cluster.terminate().unwrap();
}

fn spread(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    most - least
}

fn by_target(cluster: &Cluster, name: &str) -> BTreeMap<String, f64> {
    cluster.metrics().unwrap().by_label(name, "target")
}

#[tokio::test]
async fn on_one_process() {
    check(Shape::OneProcess).await;
}

#[tokio::test]
async fn on_separate_processes() {
    check(Shape::Separate).await;
}
