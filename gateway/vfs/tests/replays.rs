//! Calls that come again, to the same gateway or another: they are answered as the first was, and done once.

mod common;

use std::sync::atomic::Ordering;

use bytes::Bytes;
use common::*;
use sluice_types::{
    CallId, Credentials, FsError, InodeId, SetAttributes, SetTime, Stability, Timestamp,
};
use sluice_vfs::Caller;
use sluice_wire::meta::{Changed, CreateHow, Made};

const ROOT: InodeId = InodeId::ROOT;

fn call(xid: u32) -> Caller {
    Caller {
        call: Some(CallId {
            client: Bytes::from_static(b"machine@192.0.2.1"),
            xid,
            procedure: 2,
            checksum: 3,
        }),
        ..Caller::new(Credentials::root())
    }
}

fn size(size_bytes: u64) -> SetAttributes {
    SetAttributes {
        size_bytes: Some(size_bytes),
        ..SetAttributes::default()
    }
}

async fn set(
    gateway: &Gateway,
    xid: u32,
    inode: InodeId,
    changes: SetAttributes,
) -> Result<Changed, FsError> {
    let caller = call(xid);
    gateway
        .vfs
        .set_attributes(&caller, inode, changes, None)
        .await
}

async fn open_with(
    gateway: &Gateway,
    xid: u32,
    file: &str,
    wishes: SetAttributes,
) -> Result<Made, FsError> {
    let (caller, how) = (call(xid), CreateHow::Unchecked(wishes));
    gateway.vfs.create(&caller, ROOT, name(file), how).await
}

/// A file that is being written through a gateway, with news that nobody else has.
async fn being_written(gateway: &Gateway) -> InodeId {
    let inode = gateway.make("f").await.id;
    let data = pattern(1, 10_000);
    gateway.write(inode, 0, &data, Stability::Unstable).await;
    inode
}

#[tokio::test]
async fn attributes_set_while_a_file_is_written_are_told_the_same_again() {
    let cluster = Cluster::new().await;
    let (gateway, other) = (
        cluster.gateway(quiet()).await,
        cluster.gateway_of("other", quiet()).await,
    );
    let inode = being_written(&gateway).await;
    let mode = SetAttributes {
        mode: Some(sluice_types::Mode::new(0o600)),
        ..SetAttributes::default()
    };
    let chmod = set(&gateway, 1, inode, mode).await.unwrap();
    assert_eq!(chmod.after.attributes.size_bytes, 10_000);
    let cut = set(&gateway, 2, inode, size(5000)).await.unwrap();
    assert_eq!(cut.before.size_bytes, 10_000);
    assert_eq!(cut.after.attributes.size_bytes, 5000);
    assert_eq!(cut.after.attributes.used_bytes, 8192);
    let now = gateway.node(inode).await.attributes;
    assert_eq!(now, cut.after.attributes);
    gateway.write(inode, 0, b"more", Stability::Unstable).await;
    for again in [&gateway, &other] {
        assert_eq!(set(again, 1, inode, mode).await.unwrap(), chmod);
        assert_eq!(set(again, 2, inode, size(5000)).await.unwrap(), cut);
    }
}

#[tokio::test]
async fn a_truncation_that_comes_again_cuts_nothing_that_was_written_since() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = being_written(&gateway).await;
    let cut = set(&gateway, 1, inode, size(0)).await.unwrap();
    let opened = open_with(&gateway, 2, "f", size(0)).await.unwrap();
    gateway.write(inode, 0, b"since", Stability::FileSync).await;
    assert_eq!(set(&gateway, 1, inode, size(0)).await.unwrap(), cut);
    let again = open_with(&gateway, 2, "f", size(0)).await.unwrap();
    assert_eq!(again, opened);
    assert_eq!(gateway.bytes(inode).await, b"since");
    drop(gateway);
    let other = cluster.gateway(quiet()).await;
    assert_eq!(set(&other, 1, inode, size(0)).await.unwrap(), cut);
    assert_eq!(open_with(&other, 2, "f", size(0)).await.unwrap(), opened);
    assert_eq!(other.bytes(inode).await, b"since");
}

#[tokio::test]
async fn what_was_done_is_told_though_the_file_is_gone() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = being_written(&gateway).await;
    let cut = set(&gateway, 1, inode, size(10)).await.unwrap();
    let opened = open_with(&gateway, 2, "f", size(5)).await.unwrap();
    let link =
        |gateway: Gateway| async move { gateway.vfs.link(&call(3), inode, ROOT, name("g")).await };
    let linked = link(gateway.clone()).await.unwrap();
    assert_eq!(linked.settled_node(), None, "it is being written");
    gateway.remove("g").await;
    gateway.remove("f").await;
    for again in [gateway, cluster.gateway_of("other", quiet()).await] {
        assert_eq!(set(&again, 1, inode, size(10)).await.unwrap(), cut);
        assert_eq!(open_with(&again, 2, "f", size(5)).await.unwrap(), opened);
        assert_eq!(link(again.clone()).await.unwrap(), linked);
        let gone = set(&again, 4, inode, size(10)).await;
        assert_eq!(gone.unwrap_err(), FsError::Stale, "a call of its own");
    }
}

#[tokio::test]
async fn what_was_done_is_told_though_storage_does_not_answer() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = being_written(&gateway).await;
    let cut = set(&gateway, 1, inode, size(10)).await.unwrap();
    gateway.write(inode, 0, b"data", Stability::Unstable).await;
    drop(gateway);
    cluster.storage.unreachable.store(true, Ordering::SeqCst);
    // It has to find out first where the file ends, and cannot.
    let other = cluster.gateway(quiet()).await;
    assert_eq!(set(&other, 1, inode, size(10)).await.unwrap(), cut);
    let new = set(&other, 2, inode, size(1)).await;
    assert_eq!(new, Err(FsError::Unavailable));
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    assert_eq!(other.bytes(inode).await.len(), 10, "nothing was cut");
    let new = set(&other, 2, inode, size(1)).await.unwrap();
    assert_eq!(new.after.attributes.size_bytes, 1, "nor refused for good");
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_made_once() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = being_written(&gateway).await;
    let touch = SetAttributes {
        modified: Some(SetTime::To(Timestamp::new(7, 0))),
        ..size(10)
    };
    *cluster.meta.lose_replies_of.lock() = Some("SetInode");
    let lost = set(&gateway, 1, inode, touch).await;
    assert_eq!(lost, Err(FsError::Unavailable));
    *cluster.meta.lose_replies_of.lock() = None;
    gateway
        .write(inode, 20, b"since", Stability::FileSync)
        .await;
    let again = set(&gateway, 1, inode, touch).await.unwrap();
    assert_eq!(again.after.attributes.size_bytes, 10, "as it was then");
    assert_eq!(gateway.bytes(inode).await.len(), 25);
}
