//! The example configurations in docs/examples, each given to the checker of the program that it is for.

use std::path::PathBuf;
use std::process::Command;

use sluice_tests::cluster::program;
use sluice_tests::scratch::repository;

/// The examples whose names begin and end so.
fn examples(beginning: &str, ending: &str) -> Vec<PathBuf> {
    let folder = repository().join("docs/examples");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = files
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(beginning) && name.ends_with(ending)
        })
        .collect();
    assert!(
        !found.is_empty(),
        "no {beginning}*{ending} in docs/examples"
    );
    found
}

#[track_caller]
fn check(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}

#[test]
fn haproxy_takes_its_example() {
    for file in examples("haproxy", ".cfg") {
        check(Command::new("haproxy").args(["-c", "-f"]).arg(file));
    }
}

#[test]
fn keepalived_takes_its_examples() {
    for file in examples("keepalived", ".conf") {
        check(
            Command::new("keepalived")
                .args(["-t", "-l", "-f"])
                .arg(file),
        );
    }
}

#[test]
fn sluice_takes_its_examples() {
    for file in examples("", ".toml") {
        let mut command = Command::new(program().unwrap());
        check(command.args(["config", "check"]).arg(file));
    }
}

/// What the page shows is what is tested.
#[test]
fn the_page_names_every_example() {
    let page = repository().join("docs/LOAD_BALANCING.md");
    let page = std::fs::read_to_string(page).unwrap();
    for file in examples("", "") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(page.contains(&format!("examples/{name}")), "{name}");
    }
}
