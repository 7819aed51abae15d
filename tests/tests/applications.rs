//! Everyday programs in a guest's mount.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::effort;
use sluice_tests::scratch::{repository, temporary_dir};
use sluice_tests::suite;

const OPTIONS: &str = "vers=3,nolock";
const LONG: Duration = Duration::from_secs(600);

fn cluster(shape: Shape) -> Cluster {
    let settings = Settings {
        portmap: "own",
        ..Settings::default()
    };
    Cluster::start_with(shape, settings).unwrap()
}

#[test]
fn git_clones_this_repository_and_finds_it_whole() {
    for shape in effort::shapes() {
        let mut cluster = cluster(shape);
        let script = suite::git_clone(OPTIONS, &repository());
        cluster
            .guest()
            .unwrap()
            .run(&script, LONG)
            .unwrap()
            .expect_success();
        cluster.terminate().unwrap();
    }
}

#[test]
fn a_tree_of_20000_files_goes_through_tar_and_comes_back_the_same() {
    let tree = temporary_dir("tree-").unwrap();
    let files = 20_000;
    make_tree(tree.path(), files);
    for shape in effort::shapes() {
        let mut cluster = cluster(shape);
        let script = suite::tree_round_trip(OPTIONS, tree.path());
        let guest = cluster.guest().unwrap().with_memory_mib(1024);
        let text = guest.run(&script, LONG).unwrap().expect_success();
        assert_eq!(text.trim().lines().last(), Some(files.to_string().as_str()));
        cluster.terminate().unwrap();
    }
}

/// Files of many sizes, with links, modes and times, in 200 directories.
fn make_tree(folder: &Path, files: usize) {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    for number in 0..files {
        let directory = folder.join(format!("directory-{}", number % 200));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join(format!("file-{number}"));
        let bytes: Vec<u8> = (0..number * 7 % 9000)
            .map(|at| (at * number) as u8)
            .collect();
        std::fs::write(&path, bytes).unwrap();
        let mode = [0o644, 0o755, 0o600, 0o4755][number % 4];
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        if number % 100 == 0 {
            symlink(
                format!("file-{number}"),
                directory.join(format!("link-{number}")),
            )
            .unwrap();
        }
    }
}

#[test]
fn sqlite_writes_in_transactions_and_its_file_is_sound() {
    for shape in effort::shapes() {
        let mut cluster = cluster(shape);
        let script = suite::sqlite(OPTIONS, 20_000, 200);
        cluster
            .guest()
            .unwrap()
            .run(&script, LONG)
            .unwrap()
            .expect_success();
        cluster.terminate().unwrap();
    }
}

#[test]
fn a_large_file_is_the_same_after_kill_9_of_one_process() {
    large_file_survives(Shape::OneProcess, effort::pick(512, 2048));
}

#[test]
fn a_large_file_is_the_same_after_kill_9_of_every_process() {
    large_file_survives(Shape::Separate, effort::pick(256, 2048));
}

fn large_file_survives(shape: Shape, mebibytes: u32) {
    let mut cluster = cluster(shape);
    let mut script = suite::mount_line(OPTIONS);
    // Written twice from one seed: the second time only to be summed.
    let generate = format!(
        "openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 0 -nosalt </dev/zero 2>/dev/null | head -c {mebibytes}M"
    );
    writeln!(
        script,
        "{generate} >large; sync large; echo written; read go"
    )
    .unwrap();
    writeln!(script, "echo 3 >/proc/sys/vm/drop_caches").unwrap();
    writeln!(
        script,
        "sha256sum large | cut -c1-64; {generate} | sha256sum | cut -c1-64"
    )
    .unwrap();
    let guest = cluster.guest().unwrap();
    let mut guest = guest.spawn(&script).unwrap();
    guest.wait_for_line("written", LONG).unwrap();
    cluster.kill9();
    cluster.start_all().unwrap();
    guest.send_line("go").unwrap();
    let text = guest.wait(LONG).unwrap().expect_success();
    let sums: Vec<&str> = text.lines().filter(|line| line.len() == 64).collect();
    assert_eq!(sums.len(), 2, "{text}");
    assert_eq!(sums[0], sums[1]);
    cluster.terminate().unwrap();
}
