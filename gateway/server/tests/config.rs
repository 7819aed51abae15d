//! Config files: typing mistakes are found by name, and the examples are good.

use std::path::PathBuf;
use std::process::{Command, Output};

use sluice::config::{AnyConfig, Role, example, load_any};
use tempfile::TempDir;

struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn refusal(&self, text: &str) -> String {
        load_any(&self.write("refused.toml", text))
            .unwrap_err()
            .to_string()
    }
}

fn sluice(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(arguments).output().unwrap()
}

const GATEWAY: &str = "role = \"gateway\"\nmeta = \"10.0.0.1:7400\"\nlisten = \"0.0.0.0\"\n\
                       cluster_key_file = \"/etc/sluice/cluster.key\"\n";

#[test]
fn a_mistyped_key_is_told_by_name_with_file_line_and_what_was_meant() {
    let files = Files::new();
    let refusal = files.refusal(&format!("{GATEWAY}nfs_prot = 2049\n"));
    for part in [
        "refused.toml, line 5",
        "unknown key `nfs_prot`",
        "did you mean `nfs_port`?",
    ] {
        assert!(refusal.contains(part), "no `{part}` in: {refusal}");
    }
    let refusal = files.refusal(&format!(
        "{GATEWAY}[[exports]]\npath = \"/\"\nsqash = \"root\"\n"
    ));
    for part in ["line 7", "unknown key `sqash`", "did you mean `squash`?"] {
        assert!(refusal.contains(part), "no `{part}` in: {refusal}");
    }
    let refusal = files.refusal(&format!("{GATEWAY}[chache]\nmemory = \"1GiB\"\n"));
    assert!(refusal.contains("did you mean `cache`?"), "{refusal}");
}

#[test]
fn a_bad_value_is_told_with_its_line_and_a_good_one() {
    let files = Files::new();
    let refusal = files.refusal(&format!("{GATEWAY}[cache]\nmemory = \"8 gigs\"\n"));
    assert!(
        refusal.contains("line 6") && refusal.contains("as in 512MiB"),
        "{refusal}"
    );
    let refusal = files.refusal(&format!("{GATEWAY}portmap = \"on\"\n"));
    assert!(
        refusal.contains("line 5") && refusal.contains("`register`"),
        "{refusal}"
    );
    let refusal = files.refusal(&GATEWAY.replace("10.0.0.1:7400", "10.0.0.1"));
    assert!(
        refusal.contains("line 2") && refusal.contains("host:port"),
        "{refusal}"
    );
}

#[test]
fn a_missing_or_mistyped_role_is_explained() {
    let files = Files::new();
    let refusal = files.refusal("listen = \"0.0.0.0:1\"\n");
    assert!(refusal.contains("role = \"meta\""), "{refusal}");
    let refusal = files.refusal("rolle = \"meta\"\n");
    assert!(refusal.contains("`rolle`"), "{refusal}");
    let meta = files.write("meta.toml", example(Role::Meta));
    let output = sluice(&["gateway", "--config", meta.to_str().unwrap()]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && words.contains("sluice meta --config"),
        "{words}"
    );
}

#[test]
fn keys_that_do_not_go_together_are_refused() {
    let files = Files::new();
    let refusal = files.refusal(&format!("{GATEWAY}[cache]\ndir = \"/var/cache/sluice\"\n"));
    assert!(refusal.contains("needs a `size`"), "{refusal}");
    let storage = "role = \"storage\"\nmeta = \"10.0.0.1:7400\"\nlisten = \"0.0.0.0:7401\"\n\
                   insecure_links = true\n";
    let refusal = files.refusal(&format!("{storage}[[targets]]\ndir = \"/a\"\n"));
    assert!(refusal.contains("`advertise` is needed"), "{refusal}");
    let refusal = files.refusal(&format!("{storage}targets = []\n"));
    assert!(refusal.contains("[[targets]]"), "{refusal}");
    let meta = "role = \"meta\"\nlisten = \"0.0.0.0:7400\"\ndata = \"/a\"\ninsecure_links = true\n";
    let refusal = files.refusal(&format!("{meta}[layout]\nchunk_size = \"3MiB\"\n"));
    assert!(refusal.contains("power of two"), "{refusal}");
    let refusal = files.refusal(&format!("{meta}[cluster]\ninitial_targets = 99\n"));
    assert!(refusal.contains("`placement_groups`"), "{refusal}");
}

#[test]
fn memory_that_would_not_do_is_refused_with_the_least_that_does() {
    let files = Files::new();
    for little in ["0B", "0", "1KiB", "15MiB"] {
        let refusal = files.refusal(&format!("{GATEWAY}[cache]\nmemory = \"{little}\"\n"));
        assert!(
            refusal.contains("at least 16MiB") && refusal.contains("read ahead"),
            "{refusal}"
        );
        let storage = "role = \"storage\"\nmeta = \"10.0.0.1:7400\"\nlisten = \"10.0.0.2:7401\"\n\
                       insecure_links = true\n";
        let refusal = files.refusal(&format!(
            "{storage}[[targets]]\ndir = \"/a\"\nunstable_memory = \"{little}\"\n"
        ));
        assert!(
            refusal.contains("at least 16MiB") && refusal.contains("COMMIT"),
            "{refusal}"
        );
    }
    let up = sluice(&["up", "--cache-memory", "0"]);
    let words = String::from_utf8_lossy(&up.stderr).into_owned();
    assert!(
        !up.status.success() && words.contains("at least 16MiB"),
        "{words}"
    );
}

#[test]
fn exports_that_a_gateway_would_refuse_are_told_with_their_line() {
    let files = Files::new();
    let export = |line: &str| format!("{GATEWAY}[[exports]]\npath = \"/\"\n[[exports]]\n{line}\n");
    let too_long = format!("path = \"/{}\"", "a/".repeat(600));
    let name_too_long = format!("path = \"/{}\"", "a".repeat(256));
    for wrong in [
        "path = \"/a\\u0000b\"",
        "path = \"/a/\"",
        &too_long,
        &name_too_long,
    ] {
        let refusal = files.refusal(&export(wrong));
        let told = refusal.contains("line 8") && refusal.contains("is not a path to export");
        assert!(told, "{refusal}");
    }
    let refusal = files.refusal(&export(
        "networks = [\"::ffff:10.0.0.0/104\"]\npath = \"/a\"",
    ));
    let told = refusal.contains("line 8") && refusal.contains("write it as IPv4");
    assert!(told, "{refusal}");
}

#[test]
fn links_are_keyed_or_said_to_be_insecure() {
    let files = Files::new();
    let meta = "role = \"meta\"\nlisten = \"0.0.0.0:7400\"\ndata = \"/a\"\n";
    let storage = "role = \"storage\"\nmeta = \"10.0.0.1:7400\"\nlisten = \"10.0.0.2:7401\"\n";
    let targets = "[[targets]]\ndir = \"/a\"\n";
    for (daemon, rest) in [(meta, ""), (storage, targets)] {
        let refusal = files.refusal(&format!("{daemon}{rest}"));
        let told = refusal.contains("sluice config new-key") && refusal.contains("insecure_links");
        assert!(told, "{refusal}");
        let key = "cluster_key_file = \"/etc/sluice/cluster.key\"\n";
        let insecure = "insecure_links = true\n";
        let refusal = files.refusal(&format!("{daemon}{key}{insecure}{rest}"));
        assert!(refusal.contains("the opposite"), "{refusal}");
        for one in [key, insecure] {
            load_any(&files.write("good.toml", &format!("{daemon}{one}{rest}"))).unwrap();
        }
    }
}

/// All that a gateway needs to know of a cluster.
#[test]
fn a_gateway_joins_with_the_clusters_address_and_key() {
    let files = Files::new();
    let least = "role = \"gateway\"\nmeta = \"10.0.0.1:7400\"\n\
                 cluster_key_file = \"/etc/sluice/cluster.key\"\n";
    let AnyConfig::Gateway(config) = load_any(&files.write("gateway.toml", least)).unwrap() else {
        panic!("it is a gateway's");
    };
    assert!(config.listen.is_unspecified() && !config.insecure_links);
    assert!(config.proxy_protocol_from.is_empty());
    let refusal = files.refusal("role = \"gateway\"\nmeta = \"10.0.0.1:7400\"\n");
    assert!(refusal.contains("cluster_key_file"), "{refusal}");
    let proxied = |from: &str| format!("{least}proxy_protocol_from = [{from}]\n");
    load_any(&files.write("lb.toml", &proxied("\"10.0.0.5\", \"fd00::/64\""))).unwrap();
    let refusal = files.refusal(&proxied("\"lb.example\""));
    assert!(
        refusal.contains("line 4") && refusal.contains("10.0.1.0/24"),
        "{refusal}"
    );
}

#[test]
fn the_printed_examples_pass_the_check() {
    let files = Files::new();
    for role in ["meta", "storage", "gateway"] {
        let printed = sluice(&["config", "example", role]);
        assert!(printed.status.success());
        let file = files.write(role, &String::from_utf8(printed.stdout).unwrap());
        let checked = sluice(&["config", "check", file.to_str().unwrap()]);
        let words = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "{role}: {words}");
        let shown = String::from_utf8(checked.stdout).unwrap();
        assert!(shown.contains(&format!("role = \"{role}\"")), "{shown}");
        // What is shown as in effect is a config itself, and the same one.
        let again = load_any(&files.write("again", &shown)).unwrap();
        assert_eq!(again, load_any(&file).unwrap());
    }
}

#[test]
fn the_examples_name_every_key() {
    let files = Files::new();
    for role in [Role::Meta, Role::Storage, Role::Gateway] {
        let config = load_any(&files.write("example", example(role))).unwrap();
        let json = serde_json::to_value(&config).unwrap();
        let mut keys = Vec::new();
        collect_keys(&json, &mut keys);
        for key in keys {
            assert!(
                example(role).contains(&key),
                "the example of {role} lacks `{key}`"
            );
        }
    }
}

fn collect_keys(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                keys.push(key.clone());
                collect_keys(value, keys);
            }
        }
        serde_json::Value::Array(values) => {
            values.iter().for_each(|value| collect_keys(value, keys));
        }
        _ => {}
    }
}

#[test]
fn json_says_role_and_what_is_in_effect() {
    let files = Files::new();
    let file = files.write("gateway.toml", GATEWAY);
    let checked = sluice(&["config", "check", "--json", file.to_str().unwrap()]);
    let json: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(json["role"], "gateway");
    assert_eq!(json["effective"]["nfs_port"], 2049);
    assert_eq!(json["effective"]["exports"][0]["path"], "/");
}

#[test]
fn a_new_key_is_made_once() {
    let files = Files::new();
    let file = files.dir.path().join("cluster.key");
    let file = file.to_str().unwrap();
    assert!(sluice(&["config", "new-key", file]).status.success());
    let first = std::fs::read(file).unwrap();
    assert!(!sluice(&["config", "new-key", file]).status.success());
    assert_eq!(std::fs::read(file).unwrap(), first);
}
