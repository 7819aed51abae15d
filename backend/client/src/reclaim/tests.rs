use std::sync::Arc;

use sluice_types::{FsError, MapVersion, TargetState};

use super::*;
use crate::ClientConfig;
use crate::fakes::{Cluster, config, inode, layout};

fn quick() -> ReclaimConfig {
    ReclaimConfig {
        batch: 3,
        pause: Duration::from_millis(5),
        pause_max: Duration::from_millis(20),
        deadline: Duration::from_millis(40),
        ..ReclaimConfig::default()
    }
}

/// Reclaims until `done`, at most a few seconds.
async fn reclaim_until(cluster: &Cluster, done: impl Fn() -> bool + Send + Sync) {
    let shutdown = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let run = run(&cluster.client, quick(), shutdown);
    tokio::time::timeout(Duration::from_secs(10), run)
        .await
        .expect("it was not done in time");
}

/// Removed files 10.., each with a chunk on the one target that its layout names.
fn remove_files(cluster: &Cluster, targets: &[u32]) {
    for (index, &target) in targets.iter().enumerate() {
        let file = 10 + index as u64;
        cluster.place(target, file, 0, 100);
        let removal = Removal {
            inode: inode(file),
            layout: layout(1, target - 1),
        };
        cluster.meta.removals.lock().push(removal);
    }
}

#[tokio::test]
async fn removed_files_are_freed_everywhere() {
    let cluster = Cluster::start().await;
    for target in 1..=4 {
        cluster.place(target, 9, target - 1, 100);
        cluster.place(target, 8, target - 1, 100);
    }
    let removal = Removal {
        inode: inode(9),
        layout: layout(4, 0),
    };
    cluster.meta.removals.lock().push(removal);
    remove_files(&cluster, &[1, 2, 3, 4, 1, 2, 3]);
    let meta = Arc::clone(&cluster.meta);
    reclaim_until(&cluster, || meta.removals.lock().is_empty()).await;
    for target in 1..=4 {
        cluster.storage.with(target, |target| {
            let left: Vec<u64> = target
                .durable
                .keys()
                .map(|chunk| chunk.inode.raw())
                .collect();
            assert_eq!(left, [8]);
        });
    }
}

#[tokio::test]
async fn a_target_that_is_away_holds_up_only_its_own() {
    let cluster = Cluster::start_with(ClientConfig { ..config() }).await;
    // More than a batch of files that cannot be freed come first.
    remove_files(&cluster, &[1, 1, 1, 1, 1, 2, 3]);
    cluster.storage.fail(1, FsError::Unavailable, 100_000);
    let meta = Arc::clone(&cluster.meta);
    reclaim_until(&cluster, || meta.removals.lock().len() == 5).await;
    cluster
        .storage
        .with(1, |target| assert_eq!(target.durable.len(), 5));
    cluster.storage.fail(1, FsError::Unavailable, 0);
    reclaim_until(&cluster, || meta.removals.lock().is_empty()).await;
    cluster
        .storage
        .with(1, |target| assert!(target.durable.is_empty()));
}

/// However long the queue: what the targets in service have is freed, and files behind those that stay are too.
#[tokio::test]
async fn a_long_queue_of_files_that_stay_holds_up_nobody() {
    let cluster = Cluster::start_with(ClientConfig { ..config() }).await;
    let mut targets = vec![1; 500];
    targets.push(2);
    remove_files(&cluster, &targets);
    cluster.storage.fail(1, FsError::Unavailable, 1_000_000);
    let mut map = cluster.meta.map.lock().clone();
    map.version = MapVersion::new(2);
    map.targets[0].state = TargetState::Offline;
    *cluster.meta.map.lock() = map;
    cluster
        .client
        .refresh_map(MapVersion::new(1))
        .await
        .unwrap();
    let meta = Arc::clone(&cluster.meta);
    reclaim_until(&cluster, || meta.removals.lock().len() == 500).await;
    cluster
        .storage
        .with(2, |target| assert!(target.durable.is_empty()));
}

#[tokio::test]
async fn a_metadata_service_that_is_away_is_waited_for() {
    let cluster = Cluster::start().await;
    remove_files(&cluster, &[1]);
    cluster
        .meta
        .failures
        .store(5, std::sync::atomic::Ordering::SeqCst);
    let meta = Arc::clone(&cluster.meta);
    reclaim_until(&cluster, || meta.removals.lock().is_empty()).await;
}
