//! How long a shutdown takes.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{chunk, open, pattern, read_all, small_config};
use sluice_store::StoreConfig;
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_types::{Payload, Stability};

#[tokio::test(start_paused = true)]
async fn closing_after_a_burst_of_small_files_takes_no_long() {
    const FILES: u64 = 2000;
    let config = StoreConfig {
        slab_bytes: 16 << 20,
        log_segment_bytes: 16 << 20,
        dirty_bytes_max: 64 << 20,
        dirty_bytes_background: 64 << 20,
        ..small_config()
    };
    let disk = SimulatedDisk::new(256 << 20);
    let store = open(disk.device(), config.clone(), 1).await.expect("open");
    disk.set_faults(Faults {
        latency: Some(Duration::from_millis(1)),
        ..Faults::default()
    });
    let writes = (1..=FILES).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let payload = Payload::from(pattern(number, 4096));
            let chunk = chunk(number, 0);
            store.write(chunk, 0, payload, Stability::FileSync).await
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.expect("no panic").expect("write");
    }
    let closed = tokio::time::timeout(Duration::from_secs(2), store.close()).await;
    closed.expect("in time").expect("close");
    assert_eq!(store.status().dirty_bytes, 0);
    drop(store);
    disk.crash(1);
    let store = open(disk.device(), config, 2).await.expect("open");
    for number in 1..=FILES {
        assert!(read_all(&store, chunk(number, 0)).await == pattern(number, 4096));
    }
}
