//! What calls are answered with while storage targets do not answer.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::*;
use futures::future::join_all;
use sluice_types::{Clock, FsError, InodeId, Stability, SystemClock, TargetId};
use sluice_vfs::{SpaceStatus, VfsConfig};

const SECOND: Duration = Duration::from_secs(1);

/// More than one wait of a second takes on a busy machine, and less than three of them.
const WAITED_ONCE: Duration = Duration::from_millis(2500);

fn remembering() -> VfsConfig {
    VfsConfig {
        settle_failure_memory: SECOND,
        ..quiet()
    }
}

/// A file that a lost gateway was writing, and the next gateway, whose storage does not answer, each time for a while.
async fn unsettled(clock: &Arc<ManualClock>) -> (Cluster, Gateway, InodeId) {
    let cluster = Cluster::with_clock(Arc::clone(clock) as _).await;
    let gateway = cluster.gateway(quiet()).await;
    let inode = gateway.make("f").await.id;
    gateway
        .write(inode, 0, &[1; 100], Stability::Unstable)
        .await;
    drop(gateway);
    cluster.storage.unreachable.store(true, Ordering::SeqCst);
    *cluster.storage.refusal_wait.lock() = Duration::from_millis(50);
    let gateway = cluster.gateway(remembering()).await;
    (cluster, gateway, inode)
}

#[tokio::test]
async fn calls_to_a_file_wait_for_an_absent_target_once_and_together() {
    let clock = Arc::new(ManualClock::default());
    let (cluster, gateway, inode) = unsettled(&clock).await;
    let refusals = || cluster.storage.refusals.load(Ordering::SeqCst);
    let get = || gateway.vfs.get_node(&gateway.caller, inode);
    let read = || gateway.vfs.read(&gateway.caller, inode, 0, 100);
    let write = || gateway.try_write(inode, 0, b"x", Stability::Unstable);
    let all = async {
        for got in join_all((0..10).map(|_| get())).await {
            assert_eq!(got.unwrap_err(), FsError::Unavailable);
        }
    };
    let reads = async {
        for read in join_all((0..10).map(|_| read())).await {
            assert_eq!(read.unwrap_err(), FsError::Unavailable);
        }
    };
    let writes = async {
        for written in join_all((0..10).map(|_| write())).await {
            assert_eq!(written.unwrap_err(), FsError::Unavailable);
        }
    };
    futures::join!(all, reads, writes);
    assert_eq!(refusals(), 1);
    // Those who come soon after are answered at once, though nobody used the file in between.
    clock.advance(SECOND / 2);
    assert_eq!(get().await.unwrap_err(), FsError::Unavailable);
    assert_eq!(gateway.set_size(inode, 5).await, Err(FsError::Unavailable));
    assert_eq!(refusals(), 1);
    clock.advance(SECOND / 2);
    assert_eq!(get().await.unwrap_err(), FsError::Unavailable);
    assert_eq!(refusals(), 2);
    clock.advance(SECOND);
    cluster.storage.unreachable.store(false, Ordering::SeqCst);
    assert_eq!(gateway.bytes(inode).await, [1; 100]);
}

#[tokio::test]
async fn other_files_are_served_meanwhile() {
    let clock = Arc::new(ManualClock::default());
    let (_cluster, gateway, inode) = unsettled(&clock).await;
    let other = gateway.make("other").await;
    let got = gateway.vfs.get_node(&gateway.caller, inode).await;
    assert_eq!(got.unwrap_err(), FsError::Unavailable);
    assert_eq!(gateway.node(other.id).await, other);
}

async fn space(gateway: &Gateway) -> Result<SpaceStatus, FsError> {
    gateway.vfs.file_system_status(&gateway.caller).await
}

#[tokio::test]
async fn a_silent_target_counts_with_what_it_said_last() {
    let cluster = Cluster::new().await;
    let config = VfsConfig {
        status_age_max: Duration::ZERO,
        status_wait: SECOND,
        ..quiet()
    };
    let gateway = cluster.gateway(config.clone()).await;
    let before = space(&gateway).await.unwrap();
    assert_eq!((before.total_bytes, before.free_bytes), (4000, 3600));
    let silent = (1..=3).map(TargetId::new);
    cluster.storage.silent.lock().extend(silent);
    let clock = SystemClock::new();
    let after = space(&gateway).await.unwrap();
    assert_eq!(after, before);
    let waited = clock.monotonic();
    assert!(waited < WAITED_ONCE, "one after another: {waited:?}");
    // Of what never answered nothing is known.
    let config = VfsConfig {
        status_wait: Duration::from_millis(100),
        ..config
    };
    let gateway = cluster.gateway(config).await;
    assert_eq!(space(&gateway).await.unwrap().total_bytes, 1000);
    cluster.storage.silent.lock().insert(TargetId::new(4));
    assert_eq!(space(&gateway).await.unwrap().total_bytes, 1000);
}

#[tokio::test]
async fn all_who_ask_for_space_wait_for_silent_targets_once() {
    let cluster = Cluster::new().await;
    let config = VfsConfig {
        // Shorter than the wait, but so long that those who waited are answered in it on a busy machine too.
        status_age_max: SECOND * 9 / 10,
        status_wait: SECOND,
        ..quiet()
    };
    let gateway = cluster.gateway(config).await;
    cluster
        .storage
        .silent
        .lock()
        .extend((1..=4).map(TargetId::new));
    let clock = SystemClock::new();
    for status in join_all((0..10).map(|_| space(&gateway))).await {
        assert_eq!(status, Err(FsError::Unavailable));
    }
    let waited = clock.monotonic();
    assert!(waited < WAITED_ONCE, "{waited:?}");
}
