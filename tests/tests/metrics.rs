//! What an operator watches is there, and moves with the work.

use std::collections::BTreeSet;

use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::dashboards::queried_metrics;
use sluice_tests::nfs_client::files::{make_dir, make_file, read_all, with_size, write_all};

async fn some_work(cluster: &Cluster) {
    let (client, root) = cluster.client().await.unwrap();
    let directory = make_dir(&client, root, "directory").await.unwrap();
    let file = make_file(&client, directory, "file").await.unwrap();
    write_all(&client, file, 0, &vec![1; 8 << 20])
        .await
        .unwrap();
    read_all(&client, file, 0, 8 << 20).await.unwrap();
    client.getattr(file).await.unwrap();
    client.setattr(file, with_size(100), None).await.unwrap();
    client.lookup(directory, b"missing").await.unwrap_err();
    client
        .rename((directory, b"file"), (root, b"moved"))
        .await
        .unwrap();
    client.list(root, 65_536).await.unwrap();
    client.remove(root, b"moved").await.unwrap();
    client.rmdir(root, b"directory").await.unwrap();
}

async fn check(shape: Shape) {
    let mut cluster = Cluster::start(shape).unwrap();
    some_work(&cluster).await;
    for daemon in cluster.daemons() {
        for path in ["/metrics", "/healthz", "/readyz"] {
            let answer = cluster.http(daemon, path).unwrap();
            assert_eq!(
                answer.status,
                200,
                "{path} of {}: {answer:?}",
                daemon.name()
            );
        }
        assert_eq!(cluster.http(daemon, "/nothing").unwrap().status, 404);
    }
    let metrics = cluster.metrics().unwrap();
    let calls = metrics.by_label("sluice_nfs_calls_total", "procedure");
    for procedure in [
        "write", "read", "commit", "mkdir", "create", "rename", "remove", "setattr",
    ] {
        assert!(
            calls.get(procedure).is_some_and(|calls| *calls >= 1.0),
            "{procedure}: {calls:?}"
        );
    }
    assert!(metrics.sum("sluice_nfs_errors_total", &[]) >= 1.0);
    assert!(metrics.sum("sluice_nfs_write_bytes_total", &[]) >= f64::from(8 << 20));
    let targets = metrics.by_label("sluice_store_write_bytes_total", "target");
    assert_eq!(targets.len(), 4, "{targets:?}");
    assert!(metrics.sum("sluice_meta_commits_total", &[]) >= 5.0);
    let badly_named = metrics
        .names()
        .into_iter()
        .filter(|name| !name.starts_with("sluice_"));
    assert_eq!(badly_named.count(), 0, "{:?}", metrics.names());

    let exported: BTreeSet<&str> = metrics.names();
    let asked = queried_metrics().unwrap();
    assert!(asked.len() > 10, "the dashboards ask for {asked:?}");
    // What counts mishaps is there from the first on; that it is defined at all is tidy's to check.
    let mishap = [
        "_errors_total",
        "_failures_total",
        "_retries_total",
        "_refused_total",
    ];
    let missing = |name: &&String| {
        !exported.contains(name.as_str()) && !mishap.iter().any(|ending| name.ends_with(ending))
    };
    let unknown: Vec<_> = asked.iter().filter(missing).collect();
    assert!(
        unknown.is_empty(),
        "dashboards ask for what is not exported: {unknown:?}"
    );
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn of_one_process() {
    check(Shape::OneProcess).await;
}

#[tokio::test]
async fn of_separate_processes() {
    check(Shape::Separate).await;
}
