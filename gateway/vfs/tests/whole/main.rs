//! The file service over a whole cluster: the real metadata service, client and stores, the disks simulated.

mod cluster;
#[path = "../common/mod.rs"]
mod common;

use cluster::Whole;
use common::*;
use sluice_types::{FsError, InodeId, Stability};

#[tokio::test]
async fn a_file_is_what_was_written_through_whichever_gateway() {
    for seed in 1..=2 {
        let cluster = Whole::new().await;
        let rng = SeededRng::new(seed);
        let mut gateway = cluster.gateway(restless(), None).await;
        let inode = gateway.make("f").await.id;
        let mut model = Model::default();
        for round in 0..150 {
            step(&gateway, &rng, inode, &mut model, round).await;
            if rng.below(40) == 0 {
                drop(gateway);
                gateway = cluster.gateway(restless(), None).await;
            }
        }
        assert!(gateway.bytes(inode).await == model.bytes, "seed {seed}");
    }
}

#[tokio::test]
async fn what_was_committed_outlives_a_power_cut_and_what_was_not_is_told() {
    let cluster = Whole::new().await;
    let gateway = cluster.gateway(quiet(), None).await;
    let inode = gateway.make("f").await.id;
    let data = pattern(1, 3 << 20);
    let written = gateway.write(inode, 0, &data, Stability::Unstable).await;
    let commit = gateway
        .vfs
        .commit(&gateway.caller, inode, 0, 0)
        .await
        .unwrap();
    assert_eq!(commit.verifier, written.verifier);
    let unstable = gateway
        .write(inode, 0, &[7; 100], Stability::Unstable)
        .await;
    assert_eq!(unstable.verifier, written.verifier);
    cluster.crash_storage(3).await;
    let commit = gateway
        .vfs
        .commit(&gateway.caller, inode, 0, 0)
        .await
        .unwrap();
    assert_ne!(commit.verifier, unstable.verifier);
    // As a client does.
    gateway
        .write(inode, 0, &[7; 100], Stability::FileSync)
        .await;
    drop(gateway);
    cluster.crash_storage(4).await;
    let gateway = cluster.gateway(quiet(), None).await;
    let bytes = gateway.bytes(inode).await;
    assert!(bytes[..100] == [7; 100] && bytes[100..] == data[100..]);
}

#[tokio::test]
async fn blocks_on_nvme_are_good_again_unless_the_file_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = || Some(directory.path().to_owned());
    let cluster = Whole::new().await;
    let gateway = cluster.gateway(restless(), path()).await;
    let (kept, changed) = (
        gateway.make("kept").await.id,
        gateway.make("changed").await.id,
    );
    let data = pattern(1, 1 << 20);
    for inode in [kept, changed] {
        gateway.write(inode, 0, &data, Stability::FileSync).await;
    }
    gateway.vfs.shutdown().await.unwrap();
    for inode in [kept, changed] {
        assert!(gateway.bytes(inode).await == data);
    }
    gateway.cache.close().await;
    drop(gateway);
    let other = cluster.gateway(quiet(), None).await;
    other
        .write(changed, 500_000, &[9; 10], Stability::FileSync)
        .await;
    other.vfs.shutdown().await.unwrap();
    let gateway = cluster.gateway(quiet(), path()).await;
    assert!(gateway.bytes(kept).await == data);
    let mut expected = data.clone();
    expected[500_000..500_010].fill(9);
    assert!(gateway.bytes(changed).await == expected);
}

#[tokio::test]
async fn space_is_that_of_the_stores() {
    let cluster = Whole::new().await;
    let gateway = cluster.gateway(quiet(), None).await;
    let status = gateway
        .vfs
        .file_system_status(&gateway.caller)
        .await
        .unwrap();
    assert!(status.total_bytes > 256 << 20, "{status:?}");
    assert!(status.free_bytes <= status.total_bytes);
}

#[tokio::test]
async fn a_gateway_whose_session_has_ended_does_nothing_late() {
    let whole = Whole::new().await;
    let old = whole.gateway(quiet(), None).await;
    let file = old.make("file").await.id;
    old.write(file, 0, b"old", Stability::Unstable).await;
    // Ends the session of the first one, which does not know of it.
    let new = whole.gateway(quiet(), None).await;
    new.write(file, 0, b"new", Stability::FileSync).await;
    let late = old.try_write(file, 0, b"late", Stability::FileSync).await;
    assert_eq!(late.map(|_| ()), Err(FsError::SessionLapsed));
    let root = InodeId::ROOT;
    let removed = old.vfs.remove(&old.caller, root, name("file")).await;
    assert_eq!(removed.map(|_| ()), Err(FsError::SessionLapsed));
    assert_eq!(new.bytes(file).await, b"new");
}
