//! Answers and calls that come late: what they tell of, or do, may be over.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::*;
use sluice_types::{FsError, InodeId, SetAttributes, SetTime, Stability, Timestamp};
use sluice_vfs::VfsConfig;
use sluice_wire::meta::CreateHow;

const SECOND: Duration = Duration::from_secs(1);

async fn commit(gateway: &Gateway, inode: InodeId) {
    let commit = gateway.vfs.commit(&gateway.caller, inode, 0, 0);
    commit.await.unwrap();
}

async fn set_modified(gateway: &Gateway, inode: InodeId) {
    let changes = SetAttributes {
        modified: Some(SetTime::To(Timestamp::new(1, 0))),
        ..SetAttributes::default()
    };
    let set = gateway
        .vfs
        .set_attributes(&gateway.caller, inode, changes, None);
    set.await.unwrap();
}

async fn rename(gateway: &Gateway, from: &str, to: &str) -> Result<(), FsError> {
    let (root, caller) = (InodeId::ROOT, &gateway.caller);
    let renamed = gateway.vfs.rename(caller, root, name(from), root, name(to));
    renamed.await.map(drop)
}

#[tokio::test]
async fn a_commit_that_is_answered_late_covers_nothing_that_was_written_since() {
    let cluster = Cluster::new().await;
    let config = VfsConfig {
        commit_idle: Duration::from_millis(5),
        report_interval: Duration::from_millis(20),
        ..quiet()
    };
    let gateway = cluster.gateway(config).await;
    let inode = gateway.make("f").await.id;
    cluster.storage.commit_replies.hold_next("commit");
    gateway.write(inode, 0, b"one", Stability::Unstable).await;
    cluster.storage.commit_replies.held().await;
    // Ends the session in which the commit was begun; the next write begins another.
    set_modified(&gateway, inode).await;
    gateway.write(inode, 0, b"two", Stability::Unstable).await;
    cluster.storage.commit_replies.let_go();
    tokio::time::sleep(Duration::from_millis(20)).await;
    commit(&gateway, inode).await;
    cluster.storage.crash_all();
    assert_eq!(gateway.bytes(inode).await, b"two");
}

#[tokio::test]
async fn a_lookup_that_is_answered_late_brings_no_truncation_back() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 1000], Stability::FileSync)
        .await;
    cluster.storage.unreachable.store(true, Ordering::SeqCst);
    assert_eq!(gateway.set_size(inode, 10).await, Err(FsError::Unavailable));
    cluster.meta.replies.hold_next("Lookup");
    let finder = gateway.clone();
    let find = tokio::spawn(async move { finder.find("f").await });
    cluster.meta.replies.held().await;
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    gateway.write(inode, 20, b"x", Stability::Unstable).await;
    cluster.meta.replies.let_go();
    let found = find.await.unwrap().unwrap();
    assert_eq!(found.attributes.size_bytes, 21);
    assert_eq!(gateway.bytes(inode).await.len(), 21);
    commit(&gateway, inode).await;
    assert_eq!(gateway.node(inode).await.attributes.size_bytes, 21);
    gateway.set_size(inode, 30).await.unwrap();
    assert_eq!(gateway.bytes(inode).await[20], b'x');
}

#[tokio::test]
async fn a_truncation_after_which_the_inode_was_not_told_is_finished_before_the_next_write() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 1000], Stability::FileSync)
        .await;
    *cluster.meta.lose_replies_of.lock() = Some("GetInode");
    assert_eq!(gateway.set_size(inode, 10).await, Err(FsError::Unavailable));
    *cluster.meta.lose_replies_of.lock() = None;
    gateway.write(inode, 20, b"x", Stability::FileSync).await;
    drop(gateway);
    let gateway = cluster.gateway(quiet()).await;
    let bytes = gateway.bytes(inode).await;
    assert_eq!(bytes, [&[1; 10][..], &[0; 10], b"x"].concat());
}

/// How a file of these tests is cut, and by which operation of the metadata service.
#[derive(Clone, Copy, Debug)]
enum Cut {
    SetAttributes,
    Create,
}

impl Cut {
    async fn to_nothing(self, gateway: &Gateway, inode: InodeId) -> Result<(), FsError> {
        match self {
            Self::SetAttributes => gateway.set_size(inode, 0).await.map(drop),
            Self::Create => {
                let how = CreateHow::Unchecked(SetAttributes {
                    size_bytes: Some(0),
                    ..SetAttributes::default()
                });
                let (root, caller) = (InodeId::ROOT, &gateway.caller);
                let made = gateway.vfs.create(caller, root, name("f"), how);
                made.await.map(drop)
            }
        }
    }
}

#[tokio::test]
async fn a_truncation_that_is_carried_out_late_cuts_nothing() {
    for config in [quiet(), restless()] {
        for (cut, operation) in [
            (Cut::SetAttributes, "SetInode"),
            (Cut::Create, "SetInode"),
            (Cut::Create, "Create"),
        ] {
            let cluster = Cluster::new().await;
            let gateway = cluster.gateway(config.clone()).await;
            let inode = gateway.make("f").await.id;
            gateway.write(inode, 0, b"one", Stability::FileSync).await;
            if config == restless() {
                gateway.settled(&cluster, inode).await;
            }
            cluster.meta.delay_next(operation);
            let given_up = cut.to_nothing(&gateway, inode).await;
            assert_eq!(given_up, Err(FsError::Unavailable), "{cut:?} {operation}");
            gateway.write(inode, 3, b"two", Stability::FileSync).await;
            cluster.meta.run_delayed().await;
            gateway.write(inode, 6, b"three", Stability::FileSync).await;
            assert_eq!(
                gateway.bytes(inode).await,
                b"onetwothree",
                "{cut:?} {operation}"
            );
            drop(gateway);
            let gateway = cluster.gateway(quiet()).await;
            assert_eq!(
                gateway.bytes(inode).await,
                b"onetwothree",
                "{cut:?} {operation}"
            );
        }
    }
}

#[tokio::test]
async fn a_truncation_that_is_carried_out_as_a_write_begins_comes_before_it() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"one", Stability::FileSync).await;
    gateway.settled(&cluster, inode).await;
    cluster.meta.delay_next("SetInode");
    assert_eq!(gateway.set_size(inode, 0).await, Err(FsError::Unavailable));
    cluster.meta.calls_held.hold_next("BeginWrite");
    let writer = gateway.clone();
    let write = tokio::spawn(async move {
        loop {
            match writer
                .try_write(inode, 3, b"two", Stability::FileSync)
                .await
            {
                Err(FsError::Busy) => {}
                done => return done,
            }
        }
    });
    cluster.meta.calls_held.held().await;
    cluster.meta.run_delayed().await;
    cluster.meta.calls_held.let_go();
    write.await.unwrap().unwrap();
    assert_eq!(gateway.bytes(inode).await, b"\0\0\0two");
    drop(gateway);
    let gateway = cluster.gateway(quiet()).await;
    assert_eq!(gateway.bytes(inode).await, b"\0\0\0two");
}

/// A file that a lost gateway was writing, and the next gateway, whose storage does not answer.
async fn unsettled(cluster: &Cluster) -> (Gateway, InodeId) {
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"data", Stability::Unstable).await;
    drop(gateway);
    cluster.storage.unreachable.store(true, Ordering::SeqCst);
    (cluster.gateway(quiet()).await, inode)
}

#[tokio::test]
async fn a_rename_that_was_done_is_not_answered_with_an_error() {
    let cluster = Cluster::new().await;
    let (gateway, inode) = unsettled(&cluster).await;
    assert_eq!(rename(&gateway, "f", "g").await, Ok(()));
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    let found = gateway.find("g").await.unwrap();
    assert_eq!((found.id, found.attributes.size_bytes), (inode, 4));
}

#[tokio::test]
async fn a_link_needs_no_storage_and_shows_nothing_that_may_be_wrong() {
    let cluster = Cluster::new().await;
    let (gateway, inode) = unsettled(&cluster).await;
    let (root, caller) = (InodeId::ROOT, &gateway.caller);
    let link = gateway.vfs.link(caller, inode, root, name("g"));
    assert_eq!(link.await.unwrap().settled_node(), None);
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    let found = gateway.find("g").await.unwrap();
    assert_eq!(found.attributes.link_count, 2);
    assert_eq!(found.attributes.size_bytes, 4);
}

#[tokio::test]
async fn a_name_is_found_though_its_file_is_renamed_over_meanwhile() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(quiet()).await;
    let old = gateway.make("name").await.id;
    gateway.write(old, 0, b"old", Stability::Unstable).await;
    let new = gateway.make("new").await.id;
    gateway.write(new, 0, b"newer", Stability::Unstable).await;
    cluster.meta.replies.hold_next("Lookup");
    let finder = gateway.clone();
    let find = tokio::spawn(async move { finder.find("name").await });
    cluster.meta.replies.held().await;
    rename(&gateway, "new", "name").await.unwrap();
    cluster.meta.replies.let_go();
    let found = find.await.unwrap().unwrap();
    assert_eq!((found.id, found.attributes.size_bytes), (new, 5));
}

#[tokio::test]
async fn files_of_an_absent_target_hold_up_no_others() {
    let cluster = Cluster::new().await;
    let config = VfsConfig {
        storage_work_pause: Duration::ZERO,
        ..restless()
    };
    let gateway = cluster.gateway(config).await;
    cluster
        .storage
        .commits_unanswered
        .store(true, Ordering::SeqCst);
    // The 64 of which the test waits would take 19 s one after another.
    *cluster.storage.refusal_wait.lock() = Duration::from_millis(300);
    for number in 0..200 {
        let inode = gateway.make(&format!("f{number}")).await.id;
        let write = gateway.write(inode, 0, b"data", Stability::Unstable);
        write.await;
    }
    let all_asked = async {
        while cluster.storage.refusals.load(Ordering::SeqCst) < 64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, all_asked)
        .await
        .expect("the first does not hold up the rest");
    // Many, so that they are not all first by luck.
    for number in 0..10 {
        let inode = gateway.make(&format!("healthy{number}")).await.id;
        let answered_of = &cluster.storage.commits_answered_of;
        answered_of.lock().insert(inode);
        let write = gateway.write(inode, 0, b"data", Stability::Unstable);
        write.await;
    }
    let healthy = cluster.storage.commits_answered_of.lock().clone();
    for inode in healthy {
        let settled = gateway.settled(&cluster, inode);
        tokio::time::timeout(10 * SECOND, settled)
            .await
            .expect("the file is committed and left alone");
    }
}

#[tokio::test]
async fn a_commit_that_failed_in_the_background_rests_for_a_while() {
    let clock = Arc::new(ManualClock::default());
    let cluster = Cluster::with_clock(Arc::clone(&clock) as _).await;
    let config = VfsConfig {
        storage_work_pause: SECOND,
        ..restless()
    };
    let gateway = cluster.gateway(config).await;
    let inode = gateway.make("f").await.id;
    gateway.write(inode, 0, b"data", Stability::Unstable).await;
    cluster
        .storage
        .commits_unanswered
        .store(true, Ordering::SeqCst);
    clock.advance(SECOND);
    let refusals = || cluster.storage.refusals.load(Ordering::SeqCst);
    while refusals() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(refusals(), 1);
    cluster
        .storage
        .commits_unanswered
        .store(false, Ordering::SeqCst);
    clock.advance(SECOND);
    gateway.settled(&cluster, inode).await;
    cluster.storage.crash_all();
    assert_eq!(gateway.bytes(inode).await, b"data");
}
