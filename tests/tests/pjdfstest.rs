//! System calls do and refuse what POSIX says, as far as NFSv3 can carry it.

use std::collections::BTreeSet;

use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::scratch::repository;
use sluice_tests::suite::{PjdfstestReport, pjdfstest};

/// What no server can make pass; docs/CONFORMANCE.md says why.
const FAILS_BY_DESIGN_OF_NFS: [&str; 2] = ["unlink::open_file_not_freed", "utimensat::y2038"];

/// More than pjdfstest's tests minus what NFSv3 has no call for: so that a broken run does not pass.
const PASSED_MIN: usize = 350;

fn run(shape: Shape) -> PjdfstestReport {
    let settings = Settings {
        portmap: "own",
        ..Settings::default()
    };
    let mut cluster = Cluster::start_with(shape, settings).unwrap();
    let guest = cluster.guest().unwrap();
    let report = pjdfstest(&guest, "vers=3,nolock").unwrap();
    cluster.terminate().unwrap();
    report
}

/// The names of the tests in docs/CONFORMANCE.md's table of what is skipped.
fn documented_skips() -> BTreeSet<String> {
    let path = repository().join("docs/CONFORMANCE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows
        .filter_map(|row| row.split_once('`'))
        .map(|(name, _)| name.to_owned());
    names.collect()
}

/// `chmod::eperm::regular` is of the test `chmod::eperm`, which the document lists once for all kinds of file.
fn is_documented(name: &str, documented: &BTreeSet<String>) -> bool {
    documented.iter().any(|prefix| {
        name.strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

fn check(report: &PjdfstestReport) {
    let failed: Vec<_> = report
        .failed
        .iter()
        .filter(|(name, _)| !FAILS_BY_DESIGN_OF_NFS.contains(&name.as_str()))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(
        report.passed.len() >= PASSED_MIN,
        "only {} passed",
        report.passed.len()
    );
    let documented = documented_skips();
    let silent = report
        .skipped
        .iter()
        .filter(|(name, _)| !is_documented(name, &documented));
    let silent: Vec<_> = silent.collect();
    assert!(
        silent.is_empty(),
        "skipped, but not in docs/CONFORMANCE.md: {silent:#?}"
    );
    let stale = documented.iter().filter(|prefix| {
        let alone = BTreeSet::from([(*prefix).clone()]);
        !report
            .skipped
            .iter()
            .any(|(name, _)| is_documented(name, &alone))
    });
    let stale: Vec<_> = stale.collect();
    assert!(
        stale.is_empty(),
        "in docs/CONFORMANCE.md, but not skipped: {stale:?}"
    );
}

#[test]
fn all_pass_on_one_process_but_what_nfs_cannot_carry() {
    check(&run(Shape::OneProcess));
}

#[test]
fn all_pass_on_separate_processes_but_what_nfs_cannot_carry() {
    check(&run(Shape::Separate));
}
