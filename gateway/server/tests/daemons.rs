//! A cluster of processes on loopback: one metadata service, four storage daemons, one gateway, started in any order.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use rustix::process::Signal;
use support::{Program, free_port, http_get, sluice, text, wait_ready, wait_unready};
use tempfile::TempDir;

const STORAGE_DAEMONS: usize = 4;

/// The files and ports of a cluster.
struct Cluster {
    dir: TempDir,
    meta: u16,
    metrics: Vec<SocketAddr>,
}

/// The daemons in the order of their config files: meta, storage 0 to 3, gateway.
const DAEMONS: [(&str, &str); 6] = [
    ("meta", "meta"),
    ("storage", "storage0"),
    ("storage", "storage1"),
    ("storage", "storage2"),
    ("storage", "storage3"),
    ("gateway", "gateway"),
];

impl Cluster {
    fn new() -> Self {
        let cluster = Self {
            dir: TempDir::new().unwrap(),
            meta: free_port(),
            metrics: DAEMONS
                .iter()
                .map(|_| SocketAddr::from(([127, 0, 0, 1], free_port())))
                .collect(),
        };
        cluster.write_meta();
        for number in 0..STORAGE_DAEMONS {
            cluster.write_storage(number);
        }
        cluster.write_gateway();
        cluster
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, daemon: usize, config: &str) {
        let (role, name) = DAEMONS[daemon];
        let common = format!(
            "role = \"{role}\"\nmetrics_listen = \"{}\"\n",
            self.metrics[daemon]
        );
        let file = self.path().join(format!("{name}.toml"));
        std::fs::write(file, format!("{common}{config}\n[log]\nlevel = \"warn\"\n")).unwrap();
    }

    fn write_meta(&self) {
        let (dir, port) = (text(self.path()), self.meta);
        self.write(
            0,
            &format!("listen = \"127.0.0.1:{port}\"\ndata = \"{dir}/meta\""),
        );
    }

    fn write_storage(&self, number: usize) {
        let (dir, meta, port) = (text(self.path()), self.meta, free_port());
        self.write(
            1 + number,
            &format!(
                "meta = \"127.0.0.1:{meta}\"\nlisten = \"127.0.0.1:{port}\"\n\
                 [[targets]]\ndir = \"{dir}/target{number}\"\ncapacity = \"1GiB\""
            ),
        );
    }

    fn write_gateway(&self) {
        let key = self.path().join("cluster.key");
        assert!(sluice(&["config", "new-key", text(&key)]).status.success());
        let (key, meta, port) = (text(&key), self.meta, free_port());
        self.write(
            5,
            &format!(
                "meta = \"127.0.0.1:{meta}\"\nlisten = \"127.0.0.1\"\nnfs_port = {port}\n\
                 portmap = \"off\"\ncluster_key_file = \"{key}\"\n[cache]\nmemory = \"16MiB\""
            ),
        );
    }

    fn start(&self, daemon: usize) -> Program {
        let (role, name) = DAEMONS[daemon];
        let file = self.path().join(format!("{name}.toml"));
        Program::start(&[role, "--config", text(&file)])
    }

    fn status_output(&self) -> Output {
        let meta = format!("127.0.0.1:{}", self.meta);
        sluice(&["admin", "--meta", &meta, "--json", "status"])
    }

    fn status(&self) -> serde_json::Value {
        let output = self.status_output();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn the_daemons_come_up_in_any_order_and_find_everything_again() {
    let cluster = Cluster::new();
    let mut file_system = None;
    for order in [[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5], [2, 5, 1, 0, 4, 3]] {
        let mut programs: Vec<Program> =
            order.iter().map(|daemon| cluster.start(*daemon)).collect();
        for metrics in &cluster.metrics {
            wait_ready(*metrics);
        }
        let status = cluster.status();
        assert_eq!(status["targets"].as_array().unwrap().len(), STORAGE_DAEMONS);
        let found = status["file_system"].clone();
        assert_eq!(*file_system.get_or_insert(found.clone()), found);
        for program in &mut programs {
            assert_eq!(program.terminate().code(), Some(0));
        }
    }
}

impl Cluster {
    /// Starts these, waits until they are ready, asks for the status, and stops them.
    fn status_of_a_run(&self, daemons: &[usize]) -> serde_json::Value {
        let mut programs: Vec<Program> = daemons.iter().map(|daemon| self.start(*daemon)).collect();
        for daemon in daemons {
            wait_ready(self.metrics[*daemon]);
        }
        let status = self.status();
        for program in &mut programs {
            assert_eq!(program.terminate().code(), Some(0));
        }
        status
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path().join(from), self.path().join(to)).unwrap();
    }
}

#[test]
fn a_target_of_another_file_system_serves_nothing() {
    const META_AND_STORAGE: [usize; 5] = [0, 1, 2, 3, 4];
    let cluster = Cluster::new();
    let id = |status: &serde_json::Value| status["file_system"].as_str().unwrap().to_owned();
    let first = id(&cluster.status_of_a_run(&META_AND_STORAGE));
    for number in 0..STORAGE_DAEMONS {
        cluster.rename(&format!("target{number}"), &format!("first{number}"));
    }
    cluster.rename("meta", "first-meta");
    let second = id(&cluster.status_of_a_run(&META_AND_STORAGE));
    assert_ne!(first, second);

    // A disk of the first file system where one of the second was.
    cluster.rename("target0", "second0");
    cluster.rename("first0", "target0");
    let mut programs = [cluster.start(0), cluster.start(1)];
    let why = wait_unready(cluster.metrics[1], "belongs to file system");
    for part in [&first, &second, text(&cluster.path().join("target0"))] {
        assert!(why.contains(part), "no `{part}` in: {why}");
    }
    // Not all is well: but that target is not one of them.
    let status = cluster.status_output().stdout;
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    let targets = status["targets"].as_array().unwrap().len();
    assert_eq!(targets, STORAGE_DAEMONS, "it is not registered either");
    for program in &mut programs {
        assert_eq!(program.terminate().code(), Some(0));
    }
}

#[test]
fn a_gateway_without_metadata_says_so() {
    let cluster = Cluster::new();
    let mut gateway = cluster.start(5);
    let answer = loop {
        if let Some(answer) = http_get(cluster.metrics[5], "/readyz") {
            break answer;
        }
    };
    assert_eq!(answer.0, 503);
    assert!(answer.1.contains("metadata: "), "{}", answer.1);
    assert_eq!(http_get(cluster.metrics[5], "/healthz").unwrap().0, 200);
    // It waits; a signal ends it.
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.wait().code(), Some(0));
}
