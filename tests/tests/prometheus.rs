//! A real Prometheus takes what is exported, with the configuration that is shipped, and has an answer to every question
//! of the dashboard and of docs/MONITORING.md.

use std::collections::BTreeSet;

use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::dashboards;
use sluice_tests::nfs_client::files::{make_file, read_all, with_size, write_all};
use sluice_tests::prometheus::{Prometheus, complaints};
use sluice_tests::scratch::repository;

/// Where a `sluice up` of the tests serves metrics, and where the shipped configuration looks for it.
const METRICS: (&str, &str) = ("10.99.0.1:9464", "127.0.0.1:9464");

/// What Grafana makes of `$__rate_interval` with the shipped data source: four times `timeInterval`.
const RATE_INTERVAL: &str = "20s";

fn shipped(path: &str) -> String {
    let file = repository().join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Something of everything that clients do, what goes wrong included.
async fn load(cluster: &Cluster) {
    let (client, root) = cluster.client().await.unwrap();
    let file = make_file(&client, root, "file").await.unwrap();
    write_all(&client, file, 0, &vec![1; 16 << 20])
        .await
        .unwrap();
    for _ in 0..2 {
        read_all(&client, file, 0, 16 << 20).await.unwrap();
    }
    client.setattr(file, with_size(100), None).await.unwrap();
    client.lookup(root, b"missing").await.unwrap_err();
    client.list(root, 65_536).await.unwrap();
    client.remove(root, b"file").await.unwrap();
}

/// As Grafana sends a query of the dashboard, with all instances chosen.
fn as_sent(query: &str) -> String {
    query
        .replace("$instance", ".*")
        .replace("$__rate_interval", RATE_INTERVAL)
}

/// The expressions of the table under "What to watch".
fn documented_queries(page: &str) -> BTreeSet<String> {
    let (_, watch) = page.split_once("## What to watch").unwrap();
    let (watch, _) = watch.split_once("\n## ").unwrap();
    let rows = watch.lines().filter(|line| line.starts_with("| "));
    // Code is every second piece between backquotes.
    let code = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    code.map(|query| query.replace("\\|", "|")).collect()
}

#[tokio::test]
async fn every_question_has_an_answer() {
    let mut cluster = Cluster::start(Shape::OneProcess).unwrap();
    load(&cluster).await;
    let (here, there) = METRICS;
    let config = shipped("grafana/prometheus.yml").replace(there, here);
    let prometheus = Prometheus::start(cluster.network(), &config).unwrap();
    prometheus.await_scrape().unwrap();
    load(&cluster).await;
    prometheus.await_scrape().unwrap();

    let targets = prometheus.api("targets").unwrap();
    let active = targets["activeTargets"].as_array().unwrap();
    assert_eq!(active.len(), 1, "{targets}");
    assert_eq!(
        (&active[0]["health"], &active[0]["lastError"]),
        (&"up".into(), &"".into())
    );
    assert_eq!(active[0]["labels"]["instance"], here);

    let mut empty = Vec::new();
    let dashboard = dashboards::queries().unwrap();
    for query in dashboard.iter().filter(|query| query.contains("sluice_")) {
        if query.starts_with("label_values(") {
            continue;
        }
        if prometheus.query(&as_sent(query)).unwrap().is_empty() {
            empty.push(query.clone());
        }
    }
    assert!(empty.is_empty(), "nothing to show for {empty:#?}");

    let documented = documented_queries(&shipped("docs/MONITORING.md"));
    assert!(documented.len() > 10, "{documented:?}");
    for query in &documented {
        prometheus.query(query).unwrap();
    }
    let metrics = cluster.http(cluster.gateway(), "/metrics").unwrap();
    assert_eq!(complaints("metrics", &metrics.body).unwrap(), "");
    drop(prometheus);
    cluster.terminate().unwrap();
}

#[test]
fn its_own_checker_finds_nothing_wrong_with_what_is_shipped() {
    let config = shipped("grafana/prometheus.yml");
    assert_eq!(complaints("config", &config).unwrap(), "");
    // The part for a cluster is there to be taken out of its comment.
    let for_a_cluster: String = config
        .lines()
        .map(|line| match line.trim_start().strip_prefix("# ") {
            Some(rest) if rest.contains("targets:") || rest.contains("labels:") => {
                format!("      {rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert_eq!(
        for_a_cluster.matches("- targets:").count(),
        4,
        "{for_a_cluster}"
    );
    assert_eq!(complaints("config", &for_a_cluster).unwrap(), "");
    let page = shipped("docs/MONITORING.md");
    let (_, alerts) = page.split_once("```yaml\n").unwrap();
    let (alerts, _) = alerts.split_once("```").unwrap();
    assert!(alerts.contains("alert: SluiceDown"), "{alerts}");
    assert_eq!(complaints("rules", alerts).unwrap(), "");
    assert_ne!(complaints("rules", "groups: 7").unwrap(), "");
}
