//! What is remembered is never old.

mod common;

use std::sync::atomic::Ordering;

use common::*;
use sluice_types::{Credentials, FsError, InodeId, Mode, SetAttributes, Stability};
use sluice_wire::meta::LookupName;

#[tokio::test]
async fn what_did_not_change_is_asked_for_once() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &pattern(1, 200_000), Stability::FileSync)
        .await;
    gateway.settled(&cluster, inode).await;
    gateway.bytes(inode).await;
    gateway.find("f").await.unwrap();
    gateway.find("f").await.unwrap();
    let asked = |name| cluster.meta.count(name);
    let before = (asked("GetInode"), asked("Lookup"));
    let reads = cluster.storage.reads.load(Ordering::SeqCst);
    for _ in 0..10 {
        gateway.node(inode).await;
        gateway.find("f").await.unwrap();
        assert_eq!(gateway.bytes(inode).await.len(), 200_000);
        gateway.vfs.access(&gateway.caller, inode).await.unwrap();
    }
    assert_eq!((asked("GetInode"), asked("Lookup")), before);
    assert_eq!(cluster.storage.reads.load(Ordering::SeqCst), reads);
}

#[tokio::test]
async fn every_change_is_seen_by_the_next_call() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let (root, caller) = (InodeId::ROOT, &gateway.caller);
    assert_eq!(gateway.find("f").await.unwrap_err(), FsError::NotFound);
    let inode = gateway.make("f").await.id;
    assert_eq!(gateway.find("f").await.unwrap().id, inode);
    for mode in [0o600, 0o644, 0o711] {
        let changes = SetAttributes {
            mode: Some(Mode::new(mode)),
            ..SetAttributes::default()
        };
        gateway
            .vfs
            .set_attributes(caller, inode, changes, None)
            .await
            .unwrap();
        assert_eq!(gateway.node(inode).await.attributes.mode, Mode::new(mode));
    }
    let before = gateway.node(root).await.attributes;
    gateway
        .vfs
        .link(caller, inode, root, name("g"))
        .await
        .unwrap();
    assert_eq!(gateway.node(inode).await.attributes.link_count, 2);
    assert!(gateway.node(root).await.attributes.changed > before.changed);
    gateway
        .vfs
        .rename(caller, root, name("g"), root, name("h"))
        .await
        .unwrap();
    assert_eq!(gateway.find("g").await.unwrap_err(), FsError::NotFound);
    assert_eq!(gateway.find("h").await.unwrap().id, inode);
    gateway.remove("h").await;
    assert_eq!(gateway.find("h").await.unwrap_err(), FsError::NotFound);
    assert_eq!(gateway.node(inode).await.attributes.link_count, 1);
    let make = gateway
        .vfs
        .make_directory(caller, root, name("d"), SetAttributes::default());
    let directory = make.await.unwrap().node.id;
    assert_eq!(gateway.find("d").await.unwrap().id, directory);
    let links = gateway.node(root).await.attributes.link_count;
    gateway
        .vfs
        .remove_directory(caller, root, name("d"))
        .await
        .unwrap();
    assert_eq!(gateway.find("d").await.unwrap_err(), FsError::NotFound);
    assert_eq!(gateway.node(root).await.attributes.link_count, links - 1);
    let get = gateway.vfs.get_node(caller, directory).await;
    assert_eq!(get.unwrap_err(), FsError::Stale);
}

#[tokio::test]
async fn overwritten_data_is_not_served_from_the_cache() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    for round in 0..20 {
        let data = pattern(round, 100_000);
        gateway.write(inode, 0, &data, Stability::Unstable).await;
        if round % 2 == 0 {
            gateway.settled(&cluster, inode).await;
        }
        assert_eq!(gateway.bytes(inode).await, data);
        assert_eq!(gateway.bytes(inode).await, data);
    }
}

#[tokio::test]
async fn remembered_names_are_found_only_by_who_may_search() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let attributes = SetAttributes {
        mode: Some(Mode::new(0o700)),
        ..SetAttributes::default()
    };
    let make = gateway
        .vfs
        .make_directory(&gateway.caller, InodeId::ROOT, name("d"), attributes);
    let directory = make.await.unwrap().node.id;
    let how = sluice_wire::meta::CreateHow::Guarded(SetAttributes::default());
    let create = gateway
        .vfs
        .create(&gateway.caller, directory, name("f"), how);
    let inode = create.await.unwrap().node.id;
    let entry = || LookupName::Name(name("f"));
    for _ in 0..2 {
        let looked = gateway
            .vfs
            .lookup(&gateway.caller, directory, entry())
            .await;
        assert_eq!(looked.unwrap().node.id, inode);
        let other = gateway.by(Credentials::new(5, 5));
        let looked = other.vfs.lookup(&other.caller, directory, entry()).await;
        assert_eq!(looked.unwrap_err(), FsError::AccessDenied);
    }
    let looked = gateway.vfs.lookup(&gateway.caller, inode, entry()).await;
    assert_eq!(looked.unwrap_err(), FsError::NotDirectory);
    let node = gateway
        .vfs
        .resolve(&gateway.caller, b"/d//f")
        .await
        .unwrap();
    assert_eq!(node.id, inode);
    let node = gateway.vfs.resolve(&gateway.caller, b"/").await.unwrap();
    assert_eq!(node.id, InodeId::ROOT);
}

#[tokio::test]
async fn a_change_whose_reply_was_lost_is_seen() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    assert_eq!(gateway.node(inode).await.attributes.mode, Mode::new(0o644));
    *cluster.meta.lose_replies_of.lock() = Some("SetInode");
    let changes = SetAttributes {
        mode: Some(Mode::new(0o600)),
        ..SetAttributes::default()
    };
    let set = gateway
        .vfs
        .set_attributes(&gateway.caller, inode, changes, None);
    assert_eq!(set.await.unwrap_err(), FsError::Unavailable);
    assert_eq!(gateway.node(inode).await.attributes.mode, Mode::new(0o600));
}

#[tokio::test]
async fn a_directory_whose_removal_was_not_answered_is_not_served_from_memory() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let (caller, root) = (&gateway.caller, InodeId::ROOT);
    let attributes = SetAttributes::default();
    let made = gateway
        .vfs
        .make_directory(caller, root, name("d"), attributes);
    let inode = made.await.unwrap().node.id;
    gateway.node(inode).await;
    *cluster.meta.lose_replies_of.lock() = Some("RemoveDirectory");
    let removed = gateway.vfs.remove_directory(caller, root, name("d"));
    assert_eq!(removed.await.unwrap_err(), FsError::Unavailable);
    let asked = gateway.vfs.get_node(caller, inode);
    assert_eq!(asked.await.unwrap_err(), FsError::Stale);
}

#[tokio::test]
async fn an_inode_whose_move_was_not_answered_is_not_served_from_memory() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let before = gateway.node(inode).await;
    *cluster.meta.lose_replies_of.lock() = Some("Rename");
    let (caller, root) = (&gateway.caller, InodeId::ROOT);
    let renamed = gateway.vfs.rename(caller, root, name("f"), root, name("g"));
    assert_eq!(renamed.await.unwrap_err(), FsError::Unavailable);
    let after = gateway.node(inode).await;
    assert!(after.attributes.changed > before.attributes.changed);
}

#[tokio::test]
async fn space_is_the_sum_over_the_targets() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let status = gateway
        .vfs
        .file_system_status(&gateway.caller)
        .await
        .unwrap();
    assert_eq!((status.total_bytes, status.free_bytes), (4000, 3600));
    assert_eq!(status.available_bytes, 3600);
    assert!(status.inodes_total > status.inodes_free);
}

#[tokio::test]
async fn sequential_reads_are_fetched_ahead() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    let data = pattern(1, 4 * 1024 * 1024);
    for (index, piece) in data.chunks(1024 * 1024).enumerate() {
        gateway
            .write(
                inode,
                index as u64 * 1024 * 1024,
                piece,
                Stability::FileSync,
            )
            .await;
    }
    gateway.settled(&cluster, inode).await;
    for step in 0..3 {
        gateway.read(inode, step * 65_536, 65_536).await;
    }
    // What lies ahead comes without being asked for.
    while cluster.storage.reads.load(Ordering::SeqCst) < 4 {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    let reads = cluster.storage.reads.load(Ordering::SeqCst);
    let read = gateway.read(inode, 3 * 65_536, 65_536).await;
    assert_eq!(read.payload.to_contiguous(), &data[3 * 65_536..4 * 65_536]);
    assert_eq!(cluster.storage.reads.load(Ordering::SeqCst), reads);
}
