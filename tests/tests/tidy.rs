//! Style that a compiler does not hold: the ladder's arrows, small rooms, tables of contents, and documents that
//! say what is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sluice_tests::dashboards::queried_metrics;
use sluice_tests::scratch::repository;

/// Which of this workspace's crates each crate may use (ARCHITECTURE.md draws it). `sluice`, the tests and the
/// bench may use all.
const LADDER: [(&str, &[&str]); 11] = [
    ("sluice-types", &[]),
    ("sluice-wire", &["sluice-types"]),
    ("sluice-proto-nfs", &["sluice-types"]),
    ("sluice-cache", &["sluice-types"]),
    ("sluice-store", &["sluice-types"]),
    ("sluice-fabric", &["sluice-types", "sluice-wire"]),
    ("sluice-meta", &["sluice-types", "sluice-wire"]),
    (
        "sluice-storage",
        &[
            "sluice-types",
            "sluice-wire",
            "sluice-fabric",
            "sluice-store",
        ],
    ),
    (
        "sluice-client",
        &["sluice-types", "sluice-wire", "sluice-fabric"],
    ),
    (
        "sluice-vfs",
        &[
            "sluice-types",
            "sluice-wire",
            "sluice-client",
            "sluice-cache",
        ],
    ),
    (
        "sluice-gateway-nfs",
        &[
            "sluice-types",
            "sluice-wire",
            "sluice-vfs",
            "sluice-proto-nfs",
        ],
    ),
];

/// Crates at the top of the ladder.
const TOP: [&str; 3] = ["sluice", "sluice-tests", "sluice-bench"];

/// Where `unsafe` may be: io_uring, O_DIRECT, and what they need of the machine.
const UNSAFE_IN: [&str; 2] = ["backend/store/src/device/", "backend/fabric/src/rdma/"];

const FILE_LINES_MAX: usize = 600;

/// A Rust file of the project.
struct Source {
    /// From the repository's root.
    path: String,
    text: String,
}

impl Source {
    /// Lines of code, without comments, with their numbers; what follows `#[cfg(test)]` included.
    fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()));
        lines.filter(|(_, line)| !line.starts_with("//"))
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for top in ["proto", "cache", "backend", "gateway", "tests", "bench"] {
        collect(&repository().join(top), &mut found);
    }
    assert!(found.len() > 50, "where have all the sources gone?");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "corpus", "artifacts"].contains(&name.as_str()) {
            collect(&path, found);
        } else if name.ends_with(".rs") {
            let relative = path.strip_prefix(repository()).unwrap();
            found.push(Source {
                path: relative.display().to_string(),
                text: std::fs::read_to_string(&path).unwrap(),
            });
        }
    }
}

/// Fails with all findings at once.
#[track_caller]
fn assert_none(findings: &[String], rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn the_ladders_arrows_point_down_only() {
    let allowed: BTreeMap<&str, &[&str]> = LADDER.into_iter().collect();
    let packages = packages();
    let names: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut findings = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        if TOP.contains(&name) {
            continue;
        }
        let Some(allowed) = allowed.get(name) else {
            findings.push(format!("{name} has no place on the ladder"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            // What only tests use is no part of the ladder, as long as it does not point up in a circle.
            let used = dependency["name"].as_str().unwrap();
            let for_tests = dependency["kind"] == "dev";
            if names.contains(used) && !for_tests && !allowed.contains(&used) {
                findings.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_none(
        &findings,
        "crates that use what is not below them (see ARCHITECTURE.md)",
    );
}

#[test]
fn every_crate_has_the_workspaces_lints_and_edition() {
    let mut findings = Vec::new();
    for package in packages() {
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        let text = std::fs::read_to_string(&manifest).unwrap();
        for needed in [
            "[lints]\nworkspace = true",
            "edition.workspace = true",
            "license.workspace = true",
        ] {
            if !text.contains(needed) {
                findings.push(format!(
                    "{}: no `{}`",
                    manifest.display(),
                    needed.replace('\n', " ")
                ));
            }
        }
    }
    assert_none(&findings, "manifests that go their own way");
}

#[test]
fn files_are_small_rooms() {
    let lengths = sources()
        .into_iter()
        .map(|source| (source.text.lines().count(), source.path));
    let long = lengths.filter(|(lines, _)| *lines > FILE_LINES_MAX);
    let findings: Vec<String> = long
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert_none(&findings, "files of more than 600 lines");
}

#[test]
fn lib_rs_is_a_table_of_contents() {
    let mut findings = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.ends_with("src/lib.rs"))
    {
        for (number, line) in source.code_lines() {
            let is_item = [
                "fn ", "struct ", "enum ", "impl ", "impl<", "trait ", "static ",
            ]
            .iter()
            .any(|item| line.trim_start_matches("pub ").starts_with(item));
            if is_item {
                findings.push(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    assert_none(
        &findings,
        "lib.rs is a table of contents: put it into a module",
    );
}

#[test]
fn nothing_is_left_unfinished() {
    // Put together here, so that this file does not find itself.
    let marks = [
        ["to", "do!("].concat(),
        ["unimplement", "ed!("].concat(),
        ["FIX", "ME"].concat(),
        ["X", "XX"].concat(),
        ["#[ign", "ore"].concat(),
    ];
    let mut findings = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                findings.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    assert_none(&findings, "unfinished");
}

#[test]
fn numbers_have_types_of_their_own() {
    let numbers = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "isize",
    ];
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in source.code_lines() {
            let Some((_, alias)) = line.split_once("type ") else {
                continue;
            };
            let aliased = alias
                .split_once('=')
                .map(|(_, aliased)| aliased.trim().trim_end_matches(';'));
            let public = line.starts_with("pub");
            if public && aliased.is_some_and(|aliased| numbers.contains(&aliased)) {
                findings.push(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    assert_none(
        &findings,
        "aliases of bare numbers: a newtype cannot be mixed up",
    );
}

#[test]
fn unsafe_is_where_the_machine_is_touched() {
    let word = ["un", "safe"].concat();
    let mut findings = Vec::new();
    for source in sources() {
        if UNSAFE_IN.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for (number, line) in source.code_lines() {
            let uses = [" {", " fn", " impl"]
                .iter()
                .any(|after| line.contains(&format!("{word}{after}")));
            if uses {
                findings.push(format!("{}:{number}: {line}", source.path));
            }
        }
    }
    assert_none(
        &findings,
        "unsafe outside the io_uring, O_DIRECT and RDMA modules",
    );
}

#[test]
fn every_file_is_a_module_of_something() {
    let sources = sources();
    let by_path: BTreeMap<&str, &Source> = sources
        .iter()
        .map(|source| (source.path.as_str(), source))
        .collect();
    let mut findings = Vec::new();
    for source in &sources {
        let path = Path::new(&source.path);
        let name = path.file_stem().unwrap().to_string_lossy();
        let folder = path.parent().unwrap();
        let in_src = source.path.contains("/src/");
        let is_root =
            ["lib", "main", "build"].contains(&name.as_ref()) || folder.ends_with("src/bin");
        if !in_src || is_root {
            continue; // Cargo finds roots, tests, benches and fuzz targets itself.
        }
        // `a/b/mod.rs` is module b of a; `a/b.rs` is module b of a.
        let (module, parent) = if name == "mod" {
            (
                folder.file_name().unwrap().to_string_lossy(),
                folder.parent().unwrap(),
            )
        } else {
            (name, folder)
        };
        let parents = [
            parent.join("mod.rs"),
            parent.join("lib.rs"),
            parent.join("main.rs"),
            parent.with_extension("rs"),
        ];
        let named = parents
            .iter()
            .filter_map(|file| by_path.get(file.to_str()?))
            .any(|parent| {
                let declares = |line: &str| {
                    line.split_once("mod ").is_some_and(|(_, rest)| {
                        rest.trim_end().trim_end_matches([';', '{', ' ']) == module
                    })
                };
                parent.code_lines().any(|(_, line)| declares(line))
            });
        if !named {
            findings.push(source.path.clone());
        }
    }
    assert_none(&findings, "files that no `mod` names");
}

#[test]
fn dashboards_ask_for_metrics_that_exist() {
    let mut defined = BTreeSet::new();
    for source in sources()
        .iter()
        .filter(|source| source.path.ends_with("metrics.rs"))
    {
        let strings = source.text.split('"').skip(1).step_by(2);
        defined.extend(
            strings
                .filter(|text| text.starts_with("sluice_"))
                .map(str::to_owned),
        );
    }
    let asked = queried_metrics().unwrap();
    assert!(!asked.is_empty(), "there is no dashboard in grafana/");
    let findings: Vec<String> = asked
        .into_iter()
        .filter(|name| {
            let histogram = ["_bucket", "_sum", "_count"];
            let plain = histogram
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            !defined.contains(name) && !plain.is_some_and(|plain| defined.contains(plain))
        })
        .collect();
    assert_none(
        &findings,
        "dashboards ask for metrics that no metrics.rs defines",
    );
}

/// In docs/SEMANTICS.md each section that starts with a number is a promise, and ends with a line
/// `Tests: [name](../path/to/file.rs), ...`.
#[test]
fn every_promise_is_linked_to_a_test() {
    let path = repository().join("docs/SEMANTICS.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let promises = text
        .split("\n## ")
        .skip(1)
        .filter(|section| section.starts_with(|first: char| first.is_ascii_digit()));
    let mut findings = Vec::new();
    let mut count = 0;
    for promise in promises {
        count += 1;
        let title = promise.lines().next().unwrap_or_default();
        let Some((_, links)) = promise.split_once("\nTests: ") else {
            findings.push(format!("{title}: no line `Tests: [name](file)`"));
            continue;
        };
        findings.extend(
            broken_links(links, path.parent().unwrap()).map(|link| format!("{title}: {link}")),
        );
    }
    assert!(count >= 10, "docs/SEMANTICS.md has {count} promises only");
    assert_none(&findings, "promises without a test");
}

fn broken_links<'a>(text: &'a str, folder: &'a Path) -> impl Iterator<Item = String> + 'a {
    let links = text.split('[').skip(1).filter_map(|link| {
        let (name, rest) = link.split_once("](")?;
        Some((name.trim_matches('`'), rest.split_once(')')?.0))
    });
    let mut any = false;
    let mut broken: Vec<String> = links
        .filter(|(name, file)| {
            any = true;
            let source = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            !source.contains(&format!("fn {name}("))
        })
        .map(|(name, file)| format!("there is no test `{name}` in {file}"))
        .collect();
    if !any {
        broken.push("no link on its line of tests".to_owned());
    }
    broken.into_iter()
}

/// Nobody should have to read a script to know what a command installs.
#[test]
fn the_readme_names_all_that_the_tests_install() {
    let read = |path| std::fs::read_to_string(repository().join(path)).unwrap();
    let (script, page) = (read("tests/setup.sh"), read("README.md"));
    let (_, list) = script.split_once("packages=(").unwrap();
    let (list, _) = list.split_once(')').unwrap();
    let listed = list
        .split_whitespace()
        .filter_map(|word| word.split(':').next());
    let others = script.split("missing+=(").skip(1);
    let others = others.filter_map(|rest| rest.split(')').next());
    let installed: Vec<&str> = listed
        .chain(others.filter(|name| !name.contains('$')))
        .collect();
    assert!(installed.len() > 8, "only {installed:?}?");
    let missing = installed
        .iter()
        .filter(|name| !page.contains(&format!("`{name}`")));
    let findings: Vec<String> = missing.map(ToString::to_string).collect();
    assert_none(
        &findings,
        "installed by tests/setup.sh, but not named in README.md",
    );
}

#[test]
fn what_is_banned_in_one_place_is_banned_in_clippy_toml() {
    let text = std::fs::read_to_string(repository().join("clippy.toml")).unwrap();
    for banned in [
        "SystemTime::now",
        "Instant::now",
        "rand::rng",
        "thread::sleep",
    ] {
        assert!(text.contains(banned), "clippy.toml no longer bans {banned}");
    }
}
