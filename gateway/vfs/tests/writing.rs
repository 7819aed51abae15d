//! Writes, commits, and what others see of them.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::*;
use sluice_types::{
    Credentials, FsError, InodeId, Mode, SetAttributes, SetTime, Stability, TargetId, Timestamp,
};

#[tokio::test]
async fn what_was_acknowledged_shows_in_every_reply() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let first = gateway.write(inode, 0, b"hello", Stability::Unstable).await;
    assert_eq!(first.before.size_bytes, 0);
    assert_eq!(first.after.attributes.size_bytes, 5);
    let second = gateway
        .write(inode, 5, b" world", Stability::Unstable)
        .await;
    assert_eq!(second.before, first.after.attributes.wcc());
    assert!(second.after.attributes.modified > first.after.attributes.modified);
    assert_eq!(gateway.node(inode).await, second.after);
    assert_eq!(gateway.find("f").await.unwrap(), second.after);
    let read = gateway.read(inode, 0, 100).await;
    assert_eq!(read.payload.to_contiguous(), &b"hello world"[..]);
    assert!(read.end_of_file);
    assert_eq!(read.node, second.after);
    let listing = gateway.vfs.read_directory(
        &gateway.caller,
        InodeId::ROOT,
        sluice_types::Cookie::START,
        10,
        true,
    );
    assert_eq!(listing.await.unwrap().entries[0].node, Some(second.after));
}

#[tokio::test]
async fn reads_end_where_the_file_does() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 10, b"x", Stability::FileSync).await;
    for _ in 0..2 {
        let read = gateway.read(inode, 0, 11).await;
        assert_eq!(read.payload.to_contiguous(), &b"\0\0\0\0\0\0\0\0\0\0x"[..]);
        assert!(read.end_of_file);
        assert!(!gateway.read(inode, 0, 10).await.end_of_file);
        let beyond = gateway.read(inode, 11, 5).await;
        assert!(beyond.payload.is_empty() && beyond.end_of_file);
        let far = gateway.read(inode, u64::MAX, 5).await;
        assert!(far.payload.is_empty() && far.end_of_file);
        gateway.settled(&cluster, inode).await;
    }
}

#[tokio::test]
async fn parallel_first_writers_begin_one_session() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let writes = (0..16).map(|block| {
        let gateway = gateway.clone();
        async move {
            let data = pattern(block, 4096);
            gateway
                .write(inode, block * 4096, &data, Stability::Unstable)
                .await
        }
    });
    futures::future::join_all(writes).await;
    assert_eq!(cluster.meta.count("BeginWrite"), 1);
    let expected: Vec<u8> = (0..16).flat_map(|block| pattern(block, 4096)).collect();
    assert_eq!(gateway.bytes(inode).await, expected);
}

#[tokio::test]
async fn writes_to_one_file_do_not_wait_for_one_another() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let stalled = cluster.storage.stall.write().await;
    let writes: Vec<_> = (0..8)
        .map(|block| {
            let gateway = gateway.clone();
            tokio::spawn(async move {
                gateway
                    .write(inode, block * 100, &[1; 100], Stability::Unstable)
                    .await
            })
        })
        .collect();
    let all_there = async {
        while cluster.storage.writes_in_flight.load(Ordering::SeqCst) < 8 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all_there)
        .await
        .expect("all eight reach storage while none is done");
    drop(stalled);
    for write in writes {
        write.await.unwrap();
    }
    assert_eq!(gateway.bytes(inode).await, [1; 800]);
}

#[tokio::test]
async fn attributes_stay_the_same_from_the_commit_on() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 5000], Stability::Unstable)
        .await;
    let commit = gateway
        .vfs
        .commit(&gateway.caller, inode, 0, 0)
        .await
        .unwrap();
    let recorded = gateway.settled(&cluster, inode).await;
    assert_eq!(commit.after.attributes.wcc(), recorded.attributes.wcc());
    assert_eq!(gateway.node(inode).await.attributes, recorded.attributes);
}

/// What comes between "before" and "after", a client takes for its own, and keeps what it cached of the file.
#[tokio::test]
async fn a_commit_does_not_claim_what_another_wrote_meanwhile() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"mine", Stability::Unstable).await;
    cluster.storage.commit_replies.hold_next("commit");
    let committer = gateway.clone();
    let commit = tokio::spawn(async move {
        let commit = committer.vfs.commit(&committer.caller, inode, 0, 0);
        commit.await.unwrap()
    });
    cluster.storage.commit_replies.held().await;
    let others = gateway
        .write(inode, 9, b"theirs", Stability::Unstable)
        .await;
    cluster.storage.commit_replies.let_go();
    let commit = commit.await.unwrap();
    assert_eq!(commit.before, commit.after.attributes.wcc());
    assert_eq!(commit.before, others.after.attributes.wcc());
}

#[tokio::test]
async fn a_synchronous_write_does_not_claim_what_another_wrote_meanwhile() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    for (file, stability) in [("d", Stability::DataSync), ("f", Stability::FileSync)] {
        let inode = gateway.make(file).await.id;
        cluster.meta.calls_held.hold_next("UpdateWritten");
        let writer = gateway.clone();
        let write = tokio::spawn(async move { writer.write(inode, 0, b"mine", stability).await });
        cluster.meta.calls_held.held().await;
        let others = gateway
            .write(inode, 9, b"theirs", Stability::Unstable)
            .await;
        cluster.meta.calls_held.let_go();
        let write = write.await.unwrap();
        assert_eq!(write.after.attributes.size_bytes, 4);
        assert_eq!(others.before, write.after.attributes.wcc());
    }
}

#[tokio::test]
async fn a_synchronous_writes_size_is_recorded_before_its_reply() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    for (file, stability) in [("d", Stability::DataSync), ("f", Stability::FileSync)] {
        let inode = gateway.make(file).await.id;
        let done = gateway.write(inode, 0, &[7; 3000], stability).await;
        assert_eq!(done.stability, stability);
        let get = sluice_wire::meta::GetInode { inode };
        let context = sluice_wire::meta::CallContext::internal();
        use sluice_wire::meta::MetadataExt;
        let recorded = cluster.meta.run(&context, get).await.unwrap();
        assert_eq!(recorded.attributes.size_bytes, 3000);
        cluster.storage.crash_all();
        assert_eq!(gateway.bytes(inode).await, [7; 3000]);
    }
}

#[tokio::test]
async fn the_verifier_tells_of_lost_data_and_only_then() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    let write = gateway
        .write(inode, 0, &[1; 100], Stability::Unstable)
        .await;
    let commit = gateway
        .vfs
        .commit(&gateway.caller, inode, 0, 0)
        .await
        .unwrap();
    assert_eq!(commit.verifier, write.verifier);
    let lost = gateway
        .write(inode, 0, &[2; 100], Stability::Unstable)
        .await;
    cluster.storage.crash_all();
    let commit = gateway
        .vfs
        .commit(&gateway.caller, inode, 0, 0)
        .await
        .unwrap();
    assert_ne!(commit.verifier, lost.verifier);
    assert_eq!(gateway.bytes(inode).await, [1; 100], "the committed data");
}

#[tokio::test]
async fn a_commit_asks_only_for_what_is_unstable() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100], Stability::FileSync)
        .await;
    gateway
        .vfs
        .commit(&gateway.caller, inode, 0, 0)
        .await
        .unwrap();
    assert_eq!(cluster.storage.commits.load(Ordering::SeqCst), 0);
    gateway
        .write(inode, 0, &[1; 100], Stability::Unstable)
        .await;
    for _ in 0..2 {
        gateway
            .vfs
            .commit(&gateway.caller, inode, 0, 0)
            .await
            .unwrap();
    }
    assert_eq!(cluster.storage.commits.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_failed_write_leaves_no_bytes_to_show_when_the_file_grows() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, &[1; 10], Stability::Unstable).await;
    *cluster.storage.fail_write.lock() = Some(FsError::NoSpace);
    let failed = gateway
        .try_write(inode, 5, &[2; 1000], Stability::Unstable)
        .await;
    assert_eq!(failed.unwrap_err(), FsError::NoSpace);
    assert_eq!(gateway.node(inode).await.attributes.size_bytes, 10);
    gateway
        .write(inode, 100, &[3; 1], Stability::Unstable)
        .await;
    let bytes = gateway.bytes(inode).await;
    assert_eq!(&bytes[10..100], &[0; 90]);
    assert_eq!(bytes[100], 3);
}

#[tokio::test]
async fn times_set_after_a_write_are_not_undone_by_it() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"data", Stability::Unstable).await;
    let old = Timestamp::new(1_000_000, 5);
    let changes = SetAttributes {
        modified: Some(SetTime::To(old)),
        ..SetAttributes::default()
    };
    let set = gateway
        .vfs
        .set_attributes(&gateway.caller, inode, changes, None);
    assert_eq!(set.await.unwrap().after.attributes.modified, old);
    let recorded = gateway.settled(&cluster, inode).await;
    assert_eq!(recorded.attributes.modified, old);
    assert_eq!(gateway.node(inode).await.attributes.modified, old);
}

#[tokio::test]
async fn permission_is_that_of_the_mode_and_of_the_owner() {
    let cluster = Cluster::new().await;
    let root = cluster.gateway(quiet()).await;
    let inode = root.make("f").await.id;
    let changes = SetAttributes {
        mode: Some(Mode::new(0o4000)),
        uid: Some(10),
        gid: Some(20),
        ..SetAttributes::default()
    };
    let set = root.vfs.set_attributes(&root.caller, inode, changes, None);
    set.await.unwrap();
    let owner = root.by(Credentials::new(10, 20));
    let other = root.by(Credentials::new(11, 21));
    owner.write(inode, 0, b"own", Stability::Unstable).await;
    assert_eq!(owner.bytes(inode).await, b"own", "though the mode says no");
    for _ in 0..2 {
        let write = other.try_write(inode, 0, b"x", Stability::Unstable).await;
        assert_eq!(write.unwrap_err(), FsError::AccessDenied);
    }
    let read = other.vfs.read(&other.caller, inode, 0, 1).await;
    assert_eq!(read.unwrap_err(), FsError::AccessDenied);
    let commit = other.vfs.commit(&other.caller, inode, 0, 0).await;
    assert_eq!(commit.unwrap_err(), FsError::AccessDenied);
    // Who may execute may read.
    let changes = SetAttributes {
        mode: Some(Mode::new(0o001)),
        ..SetAttributes::default()
    };
    let set = root.vfs.set_attributes(&root.caller, inode, changes, None);
    set.await.unwrap();
    assert_eq!(other.bytes(inode).await, b"own");
}

#[tokio::test]
async fn set_id_bits_go_with_a_write_also_in_the_middle_of_a_session() {
    let cluster = Cluster::new().await;
    let root = cluster.gateway(quiet()).await;
    let inode = root.make("f").await.id;
    root.write(inode, 0, b"root's", Stability::Unstable).await;
    let changes = SetAttributes {
        mode: Some(Mode::new(0o6777)),
        ..SetAttributes::default()
    };
    let set = root.vfs.set_attributes(&root.caller, inode, changes, None);
    assert_eq!(set.await.unwrap().after.attributes.mode, Mode::new(0o6777));
    root.write(inode, 0, b"root's", Stability::Unstable).await;
    assert_eq!(root.node(inode).await.attributes.mode, Mode::new(0o6777));
    let other = root.by(Credentials::new(11, 21));
    let written = other.write(inode, 0, b"x", Stability::Unstable).await;
    assert_eq!(written.after.attributes.mode, Mode::new(0o777));
}

#[tokio::test]
async fn a_read_only_export_refuses_changes() {
    let cluster = Cluster::new().await;
    let mut gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway.caller.read_only = true;
    let write = gateway.try_write(inode, 0, b"x", Stability::Unstable).await;
    assert_eq!(write.unwrap_err(), FsError::ReadOnly);
    let checked = gateway.vfs.access(&gateway.caller, inode).await.unwrap();
    assert!(!checked.granted.contains(sluice_types::Access::WRITE));
    assert!(checked.granted.contains(sluice_types::Access::READ));
    assert_eq!(gateway.bytes(inode).await, b"");
}

#[tokio::test]
async fn only_regular_files_have_data() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let write = gateway
        .try_write(InodeId::ROOT, 0, b"x", Stability::Unstable)
        .await;
    assert_eq!(write.unwrap_err(), FsError::IsDirectory);
    let link = gateway.vfs.make_symlink(
        &gateway.caller,
        InodeId::ROOT,
        name("l"),
        SetAttributes::default(),
        (&b"target"[..]).into(),
    );
    let link = link.await.unwrap().node.id;
    let read = gateway.vfs.read(&gateway.caller, link, 0, 1).await;
    assert_eq!(read.unwrap_err(), FsError::Invalid);
    let target = gateway
        .vfs
        .read_symlink(&gateway.caller, link)
        .await
        .unwrap();
    assert_eq!(target.target, &b"target"[..]);
}

#[tokio::test]
async fn more_files_than_sessions_take_turns() {
    let cluster = Cluster::new().await;
    let config = sluice_vfs::VfsConfig {
        sessions_max: 8,
        ..restless()
    };
    let gateway = cluster.gateway(config).await;
    let writes = (0..40).map(|number| {
        let gateway = gateway.clone();
        async move {
            let inode = gateway.make(&format!("f{number}")).await.id;
            gateway
                .write(inode, 0, &pattern(number, 100), Stability::FileSync)
                .await;
            inode
        }
    });
    let inodes = futures::future::join_all(writes).await;
    for (number, inode) in inodes.into_iter().enumerate() {
        assert_eq!(gateway.bytes(inode).await, pattern(number as u64, 100));
    }
}

#[tokio::test]
async fn a_target_that_lost_nothing_of_the_file_is_not_noticed() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100], Stability::FileSync)
        .await;
    cluster.storage.crash(TargetId::new(1));
    assert_eq!(gateway.bytes(inode).await, [1; 100]);
}
