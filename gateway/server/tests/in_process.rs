//! A cluster within the caller's own process, as tests and benchmarks start it.

mod support;

use sluice::up::{Running, UpConfig};
use sluice_wire::meta::{CallContext, FileSystemStatus, MakeDirectory, MetadataExt as _};
use support::http_get;
use tempfile::TempDir;

async fn start(dir: &TempDir) -> Running {
    let config = UpConfig::for_tests(dir.path().join("data"));
    Running::start(config).await.unwrap()
}

async fn inodes(running: &Running) -> u64 {
    let status = running
        .metadata()
        .run(&CallContext::internal(), FileSystemStatus)
        .await;
    status.unwrap().inodes_used
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_stops_and_starts_again_where_it_was() {
    let dir = TempDir::new().unwrap();
    let running = start(&dir).await;
    let metrics = running.metrics_address();
    let answer = tokio::task::spawn_blocking(move || http_get(metrics, "/readyz")).await;
    assert_eq!(answer.unwrap().unwrap().0, 200);
    assert_ne!(running.nfs_address().port(), 0);
    let make = MakeDirectory {
        directory: sluice_types::InodeId::ROOT,
        name: sluice_types::FileName::new(b"made".to_vec()).unwrap(),
        attributes: Default::default(),
    };
    running
        .metadata()
        .run(&CallContext::internal(), make)
        .await
        .unwrap();
    assert_eq!(inodes(&running).await, 2);
    let nfs = running.nfs_address();
    running.shutdown().await.unwrap();
    assert!(
        tokio::net::TcpStream::connect(nfs).await.is_err(),
        "it still listens"
    );

    let again = start(&dir).await;
    assert_eq!(inodes(&again).await, 2);
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_of_them_do_not_meet() {
    let (one_dir, other_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (one, other) = (start(&one_dir).await, start(&other_dir).await);
    assert_ne!(one.nfs_address(), other.nfs_address());
    one.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
}

async fn refusal(dir: &TempDir) -> String {
    let config = UpConfig::for_tests(dir.path().join("data"));
    let Err(error) = Running::start(config).await else {
        panic!("it must not start");
    };
    format!("{error:#}")
}

#[tokio::test]
async fn it_does_not_serve_half_a_file_system() {
    let dir = TempDir::new().unwrap();
    start(&dir).await.shutdown().await.unwrap();
    let data = dir.path().join("data");
    for (part, said) in [
        ("targets/3", "storage target 3"),
        ("meta", "metadata is missing"),
    ] {
        let (there, away) = (data.join(part), dir.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        assert!(refusal(&dir).await.contains(said), "{part}");
        let _ = std::fs::remove_dir_all(&there);
        std::fs::rename(&away, &there).unwrap();
    }
    start(&dir).await.shutdown().await.unwrap();
}
