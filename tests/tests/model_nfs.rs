//! Random operations through NFS end as the model says: answers, errors, attributes, times, data.

use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::effort;
use sluice_tests::model::{Checker, Generator, NfsSubject};
use sluice_tests::nfs_client::files::with_mode;

async fn check(shape: Shape) {
    let mut cluster = Cluster::start(shape).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let first = effort::seed();
    for seed in (0..effort::pick(20, 1000)).map(|number| first.wrapping_add(number)) {
        let name = format!("seed-{seed}");
        let made = client
            .mkdir(root, name.as_bytes(), with_mode(0o777))
            .await
            .unwrap();
        let folder = made.object.unwrap();
        let subject = NfsSubject::new(client.clone());
        let mut checker = Checker::new(subject, folder, 0o777, 0, 0);
        let result = checker.run(&mut Generator::new(seed), 500, 100).await;
        if let Err(mismatch) = result {
            panic!("SLUICE_TEST_SEED={seed}: {mismatch}");
        }
    }
    cluster.assert_alive();
    assert!(cluster.admin(&["check"]).is_ok());
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn on_one_process() {
    check(Shape::OneProcess).await;
}

#[tokio::test]
async fn on_separate_processes() {
    check(Shape::Separate).await;
}
