//! One file, random reads, writes, truncations and mappings: every byte as it was written.

use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::effort;
use sluice_tests::suite::fsx;

/// One seed from `first`, or three new ones in full.
fn run(shape: Shape, first: u64) {
    let first = effort::pick(first, effort::seed());
    let seeds: Vec<u64> = (0..effort::pick(1, 3))
        .map(|number| first.wrapping_add(number))
        .collect();
    let settings = Settings {
        portmap: "own",
        ..Settings::default()
    };
    let mut cluster = Cluster::start_with(shape, settings).unwrap();
    let guest = cluster.guest().unwrap().with_memory_mib(768);
    let operations = effort::pick(5_000, 50_000);
    fsx(&guest, "vers=3,nolock", operations, &seeds).unwrap();
    cluster.terminate().unwrap();
}

#[test]
fn on_one_process() {
    run(Shape::OneProcess, 1);
}

#[test]
fn on_separate_processes() {
    run(Shape::Separate, 4);
}
