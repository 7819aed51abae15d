//! One file, random reads, writes, truncations and mappings: every byte as it was written.

use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::effort;
use sluice_tests::suite::fsx;

fn run(shape: Shape, seeds: &[u64]) {
    let settings = Settings {
        portmap: "own",
        ..Settings::default()
    };
    let mut cluster = Cluster::start_with(shape, settings).unwrap();
    let guest = cluster.guest().unwrap().with_memory_mib(768);
    let operations = effort::pick(5_000, 50_000);
    fsx(&guest, "vers=3,nolock", operations, seeds).unwrap();
    cluster.terminate().unwrap();
}

#[test]
fn on_one_process() {
    run(Shape::OneProcess, effort::pick(&[1], &[1, 2, 3]));
}

#[test]
fn on_separate_processes() {
    run(Shape::Separate, effort::pick(&[4], &[4, 5, 6]));
}
