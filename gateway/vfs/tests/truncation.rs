//! Truncation, growth, and files that go.

mod common;

use std::sync::atomic::Ordering;

use common::*;
use sluice_types::{FsError, InodeId, SetAttributes, Stability};
use sluice_wire::meta::CreateHow;

#[tokio::test]
async fn what_was_cut_is_zeros_when_the_file_grows_again() {
    let cluster = Cluster::new().await;
    for (number, config) in [quiet(), restless()].into_iter().enumerate() {
        let gateway = cluster.gateway(config).await;
        let inode = gateway.make(&format!("f{number}")).await.id;
        let data = pattern(1, 300_000);
        gateway.write(inode, 0, &data, Stability::Unstable).await;
        // Into the cache, if there is no session any more.
        assert_eq!(gateway.bytes(inode).await, data);
        assert_eq!(
            gateway
                .set_size(inode, 70_000)
                .await
                .unwrap()
                .attributes
                .size_bytes,
            70_000
        );
        assert_eq!(gateway.bytes(inode).await, &data[..70_000]);
        gateway.set_size(inode, 200_000).await.unwrap();
        let bytes = gateway.bytes(inode).await;
        assert_eq!(bytes.len(), 200_000);
        assert_eq!(bytes[..70_000], data[..70_000]);
        assert!(bytes[70_000..].iter().all(|&byte| byte == 0));
        assert!(cluster.storage.bytes_of(inode) <= 70_000 + CHUNK as usize);
    }
}

#[tokio::test]
async fn opening_with_truncation_cuts_what_nobody_was_told_yet() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100_000], Stability::Unstable)
        .await;
    let how = CreateHow::Unchecked(SetAttributes {
        size_bytes: Some(0),
        ..SetAttributes::default()
    });
    let made = gateway
        .vfs
        .create(&gateway.caller, InodeId::ROOT, name("f"), how);
    let made = made.await.unwrap();
    assert!(made.existed);
    assert_eq!(made.node.id, inode);
    assert_eq!(made.node.attributes.size_bytes, 0);
    assert_eq!(gateway.node(inode).await.attributes.size_bytes, 0);
    assert_eq!(cluster.storage.bytes_of(inode), 0);
    gateway.write(inode, 10, b"x", Stability::Unstable).await;
    assert_eq!(gateway.bytes(inode).await, b"\0\0\0\0\0\0\0\0\0\0x");
}

#[tokio::test]
async fn a_truncation_that_storage_did_not_answer_is_finished_before_the_next_use() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 1000], Stability::FileSync)
        .await;
    cluster.storage.unreachable.store(true, Ordering::SeqCst);
    assert_eq!(gateway.set_size(inode, 10).await, Err(FsError::Unavailable));
    let write = gateway
        .try_write(inode, 20, b"x", Stability::Unstable)
        .await;
    assert_eq!(write.unwrap_err(), FsError::Unavailable);
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    gateway.write(inode, 20, b"x", Stability::Unstable).await;
    let bytes = gateway.bytes(inode).await;
    assert_eq!(bytes.len(), 21);
    assert_eq!((&bytes[..10], &bytes[10..20]), (&[1; 10][..], &[0; 10][..]));
}

#[tokio::test]
async fn a_truncation_of_a_lost_gateway_is_finished_by_the_next() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 1000], Stability::FileSync)
        .await;
    cluster.storage.unreachable.store(true, Ordering::SeqCst);
    assert_eq!(gateway.set_size(inode, 10).await, Err(FsError::Unavailable));
    drop(gateway);
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    let gateway = cluster.gateway(quiet()).await;
    assert_eq!(gateway.bytes(inode).await, [1; 10]);
    gateway.set_size(inode, 1000).await.unwrap();
    assert!(
        gateway.bytes(inode).await[10..]
            .iter()
            .all(|&byte| byte == 0)
    );
}

#[tokio::test]
async fn truncation_waits_for_writes_and_writes_for_truncation() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let stalled = cluster.storage.stall.write().await;
    let writer = gateway.clone();
    let write = tokio::spawn(async move {
        writer
            .write(inode, 0, &[1; 1000], Stability::Unstable)
            .await
    });
    while cluster.storage.writes_in_flight.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let cutter = gateway.clone();
    let cut = tokio::spawn(async move { cutter.set_size(inode, 10).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!cut.is_finished());
    drop(stalled);
    write.await.unwrap();
    cut.await.unwrap().unwrap();
    assert_eq!(gateway.bytes(inode).await, [1; 10]);
}

#[tokio::test]
async fn a_dropped_call_is_carried_out_all_the_same() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let stalled = cluster.storage.stall.write().await;
    let write = gateway.write(inode, 0, &[1; 1000], Stability::Unstable);
    let gone = tokio::time::timeout(std::time::Duration::from_millis(20), write).await;
    assert!(gone.is_err());
    drop(stalled);
    // Waits for the write, so nothing of it comes after the cut.
    gateway.set_size(inode, 10).await.unwrap();
    assert_eq!(gateway.bytes(inode).await, [1; 10]);
}

#[tokio::test]
async fn a_removed_file_is_stale_and_takes_no_more_data() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"data", Stability::Unstable).await;
    gateway.remove("f").await;
    let get = gateway.vfs.get_node(&gateway.caller, inode).await;
    assert_eq!(get.unwrap_err(), FsError::Stale);
    let write = gateway.try_write(inode, 0, b"x", Stability::Unstable).await;
    assert_eq!(write.unwrap_err(), FsError::Stale);
    assert_eq!(gateway.find("f").await.unwrap_err(), FsError::NotFound);
    gateway.vfs.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_file_that_keeps_a_name_keeps_its_data() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"data", Stability::Unstable).await;
    let link = gateway
        .vfs
        .link(&gateway.caller, inode, InodeId::ROOT, name("g"));
    let made = link.await.unwrap();
    assert_eq!(made.settled_node(), None, "nobody was told of its size");
    let node = gateway.node(inode).await;
    assert_eq!(
        (node.attributes.link_count, node.attributes.size_bytes),
        (2, 4)
    );
    gateway.remove("f").await;
    let node = gateway.node(inode).await;
    assert_eq!(
        (node.attributes.link_count, node.attributes.size_bytes),
        (1, 4)
    );
    assert_eq!(gateway.bytes(inode).await, b"data");
}

#[tokio::test]
async fn renaming_over_a_file_that_is_written_ends_it() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let old = gateway.make("old").await.id;
    gateway.write(old, 0, b"old", Stability::Unstable).await;
    let new = gateway.make("new").await.id;
    gateway.write(new, 0, b"new", Stability::Unstable).await;
    assert_eq!(gateway.find("old").await.unwrap().id, old);
    let (root, caller) = (InodeId::ROOT, &gateway.caller);
    let renamed = gateway
        .vfs
        .rename(caller, root, name("new"), root, name("old"));
    assert_eq!(renamed.await.unwrap().node.id, new);
    let found = gateway.find("old").await.unwrap();
    assert_eq!((found.id, found.attributes.size_bytes), (new, 3));
    assert_eq!(gateway.find("new").await.unwrap_err(), FsError::NotFound);
    let write = gateway.try_write(old, 0, b"x", Stability::Unstable).await;
    assert_eq!(write.unwrap_err(), FsError::Stale);
    assert_eq!(gateway.bytes(new).await, b"new");
}

#[tokio::test]
async fn what_is_written_after_a_truncation_whose_reply_was_lost_is_kept() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100_000], Stability::Unstable)
        .await;
    *cluster.meta.lose_replies_of.lock() = Some("SetInode");
    assert_eq!(gateway.set_size(inode, 10).await, Err(FsError::Unavailable));
    *cluster.meta.lose_replies_of.lock() = None;
    assert_eq!(gateway.node(inode).await.attributes.size_bytes, 10);
    gateway
        .write(inode, 50_000, b"kept", Stability::FileSync)
        .await;
    let bytes = gateway.bytes(inode).await;
    assert_eq!(bytes.len(), 50_004);
    assert_eq!(bytes[..10], [1; 10]);
    assert!(bytes[10..50_000].iter().all(|&byte| byte == 0));
    assert_eq!(bytes[50_000..], b"kept"[..]);
}

#[tokio::test]
async fn a_file_whose_removal_was_not_answered_is_not_served_from_memory() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    assert_eq!(gateway.node(inode).await.attributes.link_count, 1);
    *cluster.meta.lose_replies_of.lock() = Some("Remove");
    let remove = gateway
        .vfs
        .remove(&gateway.caller, InodeId::ROOT, name("f"));
    assert_eq!(remove.await.unwrap_err(), FsError::Unavailable);
    let asked = gateway.vfs.get_node(&gateway.caller, inode);
    assert_eq!(asked.await.unwrap_err(), FsError::Stale);
}
