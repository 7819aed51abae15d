//! A gateway that goes without a word, and one that says good-bye.

mod common;

use std::sync::atomic::Ordering;

use common::*;
use sluice_types::{FsError, SetAttributes, SetTime, Stability, Timestamp};

#[tokio::test]
async fn unstable_writes_of_a_lost_gateway_are_seen_by_the_next() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let data = pattern(3, 200_000);
    let written = gateway.write(inode, 0, &data, Stability::Unstable).await;
    drop(gateway);
    let gateway = cluster.gateway(quiet()).await;
    let node = gateway.find("f").await.unwrap();
    assert_eq!(node.attributes.size_bytes, 200_000);
    assert!(node.attributes.modified > written.after.attributes.modified);
    assert_eq!(gateway.bytes(inode).await, data);
    // The client's commit at the new gateway tells it that nothing was lost.
    let commit = gateway
        .vfs
        .commit(&gateway.caller, inode, 0, 0)
        .await
        .unwrap();
    assert_eq!(commit.verifier, written.verifier);
    cluster.storage.crash_all();
    assert_eq!(gateway.bytes(inode).await, data);
}

#[tokio::test]
async fn a_commit_at_another_gateway_makes_all_targets_durable() {
    let cluster = Cluster::new().await;
    let first = cluster.gateway(quiet()).await;
    let inode = first.make("f").await.id;
    let data = pattern(4, 8 * CHUNK as usize);
    let written = first.write(inode, 0, &data, Stability::Unstable).await;
    drop(first);
    let second = cluster.gateway(quiet()).await;
    second
        .write(inode, 0, &data[..10], Stability::Unstable)
        .await;
    let commit = second
        .vfs
        .commit(&second.caller, inode, 0, 0)
        .await
        .unwrap();
    assert_eq!(commit.verifier, written.verifier);
    cluster.storage.crash_all();
    assert_eq!(second.bytes(inode).await, data);
}

#[tokio::test]
async fn a_size_is_not_guessed_while_storage_is_silent() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100], Stability::Unstable)
        .await;
    drop(gateway);
    let gateway = cluster.gateway(quiet()).await;
    cluster.storage.unreachable.store(true, Ordering::SeqCst);
    let get = gateway.vfs.get_node(&gateway.caller, inode).await;
    assert_eq!(get.unwrap_err(), FsError::Unavailable);
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    assert_eq!(gateway.node(inode).await.attributes.size_bytes, 100);
}

#[tokio::test]
async fn a_regular_shutdown_leaves_nothing_to_ask_storage() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100], Stability::DataSync)
        .await;
    gateway.write(inode, 0, &[1; 50], Stability::DataSync).await;
    let shown = gateway.node(inode).await;
    gateway.vfs.shutdown().await.unwrap();
    drop(gateway);
    let gateway = cluster.gateway(quiet()).await;
    let node = gateway.node(inode).await;
    assert_eq!(node.attributes.size_bytes, shown.attributes.size_bytes);
    assert_eq!(node.attributes.modified, shown.attributes.modified);
    assert_eq!(cluster.storage.commits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_nobody_commits_is_committed_in_the_end() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100], Stability::Unstable)
        .await;
    let node = gateway.settled(&cluster, inode).await;
    assert_eq!(node.attributes.size_bytes, 100);
    cluster.storage.crash_all();
    assert_eq!(gateway.bytes(inode).await, [1; 100]);
}

#[tokio::test]
async fn a_lost_answer_to_the_end_of_a_session_is_not_taken_for_a_session() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"one", Stability::FileSync).await;
    *cluster.meta.lose_replies_of.lock() = Some("UpdateWritten");
    gateway.settled(&cluster, inode).await;
    let begun = cluster.meta.count("BeginWrite");
    gateway.write(inode, 0, b"two", Stability::Unstable).await;
    assert!(cluster.meta.count("BeginWrite") > begun);
    *cluster.meta.lose_replies_of.lock() = None;
    gateway.settled(&cluster, inode).await;
    assert_eq!(gateway.bytes(inode).await, b"two");
}

#[tokio::test]
async fn a_time_that_was_set_outlives_the_gateway() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let data = pattern(5, 100_000);
    gateway.write(inode, 0, &data, Stability::Unstable).await;
    let old = Timestamp::new(1_000_000, 5);
    let changes = SetAttributes {
        modified: Some(SetTime::To(old)),
        ..SetAttributes::default()
    };
    let set = gateway
        .vfs
        .set_attributes(&gateway.caller, inode, changes, None);
    let shown = set.await.unwrap().after;
    drop(gateway);
    cluster.storage.crash_all();
    let gateway = cluster.gateway(quiet()).await;
    assert_eq!(gateway.node(inode).await.attributes, shown.attributes);
    assert_eq!(gateway.bytes(inode).await, data);
}
