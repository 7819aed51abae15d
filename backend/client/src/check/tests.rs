use std::time::Duration;

use sluice_types::SessionId;
use sluice_wire::meta::Removal;

use super::*;
use crate::ClientConfig;
use crate::fakes::{Cluster, config, inode, layout, node};

const CHUNK: usize = 65_536;

/// A cluster with twenty good files of five chunks; the odd ones have a hole.
async fn good_cluster() -> Cluster {
    let short = ClientConfig {
        deadline: Duration::from_millis(200),
        ..config()
    };
    let cluster = Cluster::start_with(short).await;
    for file in 10..30 {
        cluster
            .meta
            .add_file(file, layout(4, 0), 4 * CHUNK as u64 + 100);
        for index in 0..4 {
            if index != 1 || file % 2 == 0 {
                cluster.place(index + 1, file, index, CHUNK);
            }
        }
        cluster.place(1, file, 4, 100);
    }
    cluster
}

async fn problems(cluster: &Cluster) -> Vec<String> {
    let report = run(&cluster.client, |_| {}).await.unwrap();
    assert_eq!(report.problems_total as usize, report.problems.len());
    report.problems
}

#[tokio::test]
async fn a_good_file_system_has_no_problems() {
    let cluster = good_cluster().await;
    let mut shown = 0;
    let report = run(&cluster.client, |_| shown += 1).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!((report.inodes, report.files, report.chunks), (20, 20, 90));
    assert!(shown > 5);
}

#[tokio::test]
async fn chunks_of_no_inode_are_found_once_for_each_target() {
    let cluster = good_cluster().await;
    cluster.place(2, 15_000, 1, 10);
    cluster.place(2, 15_000, 5, 10);
    cluster.place(3, 5, 2, 10);
    let found = problems(&cluster).await;
    assert_eq!(
        found,
        [
            "target 3: holds chunks of 5, which is no inode",
            "target 2: holds chunks of 15000, which is no inode",
        ]
    );
}

#[tokio::test]
async fn chunks_of_a_removed_file_are_no_problem() {
    let cluster = good_cluster().await;
    cluster.place(2, 15_000, 1, 10);
    let removal = Removal {
        inode: inode(15_000),
        layout: layout(4, 0),
    };
    cluster.meta.removals.lock().push(removal);
    assert!(problems(&cluster).await.is_empty());
}

/// A long queue hides nothing: neither that a file is in it, nor that one is not.
#[tokio::test]
async fn chunks_of_no_inode_are_found_beside_a_long_removal_queue() {
    let cluster = good_cluster().await;
    let removal = |file| Removal {
        inode: inode(file),
        layout: layout(4, 0),
    };
    cluster.place(2, 15_000, 1, 10);
    cluster.place(2, 25_000, 1, 10);
    let others = (30_000..35_000).map(removal);
    let queue = others.chain([removal(25_000)]).collect();
    *cluster.meta.removals.lock() = queue;
    assert_eq!(
        problems(&cluster).await,
        ["target 2: holds chunks of 15000, which is no inode"]
    );
}

#[tokio::test]
async fn chunks_that_lie_wrong_are_found() {
    let cluster = good_cluster().await;
    cluster.place(2, 12, 2, CHUNK);
    assert_eq!(
        problems(&cluster).await,
        ["target 2: chunk 12.2 should lie elsewhere"]
    );
}

#[tokio::test]
async fn chunks_beyond_the_end_are_found_unless_somebody_is_at_work() {
    let cluster = good_cluster().await;
    cluster.place(1, 12, 4, 101);
    cluster.place(2, 14, 5, 1);
    let found = problems(&cluster).await;
    assert_eq!(
        found,
        [
            "target 1: chunk 12.4 ends at 262245, its file at 262244 bytes",
            "target 2: chunk 14.5 ends at 327681, its file at 262244 bytes",
        ]
    );
    let mut written = node(12, layout(4, 0), 4 * CHUNK as u64 + 100);
    written.writer = SessionId::new(7);
    let mut cut = node(14, layout(4, 0), 4 * CHUNK as u64 + 100);
    cut.pending_trim = Some(4 * CHUNK as u64 + 100);
    cluster.meta.nodes.lock().insert(inode(12), written);
    cluster.meta.nodes.lock().insert(inode(14), cut);
    assert!(problems(&cluster).await.is_empty());
}

#[tokio::test]
async fn chunks_longer_than_their_file_has_are_found() {
    let cluster = good_cluster().await;
    cluster.place(1, 12, 0, CHUNK + 1);
    let found = problems(&cluster).await;
    assert_eq!(
        found,
        ["target 1: chunk 12.0 has 65537 bytes, a chunk of the file 65536"]
    );
}

#[tokio::test]
async fn what_the_services_find_themselves_is_passed_on() {
    let cluster = good_cluster().await;
    cluster.storage.with(4, |target| {
        target.problems.push("two extents overlap".into());
    });
    cluster
        .meta
        .problems
        .lock()
        .push("inode 3 has no name".into());
    let found = problems(&cluster).await;
    assert_eq!(
        found,
        [
            "metadata: inode 3 has no name",
            "target 4: two extents overlap"
        ]
    );
}

#[tokio::test]
async fn a_target_that_is_away_is_a_problem_and_the_rest_is_checked() {
    let cluster = good_cluster().await;
    cluster.place(2, 15_000, 1, 10);
    cluster
        .storage
        .targets
        .lock()
        .remove(&crate::fakes::target(4));
    let found = problems(&cluster).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("target 4 cannot be checked"));
    assert!(found[1].contains("15000"));
}
