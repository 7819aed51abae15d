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
        let key = cluster.path().join("cluster.key");
        assert!(sluice(&["config", "new-key", text(&key)]).status.success());
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
        let key = self.path().join("cluster.key");
        let common = format!(
            "role = \"{role}\"\nmetrics_listen = \"{}\"\ncluster_key_file = \"{}\"\n",
            self.metrics[daemon],
            text(&key)
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
        self.write_gateway_with("drain_delay = \"0s\"");
    }

    fn write_gateway_with(&self, more: &str) {
        let (meta, port) = (self.meta, free_port());
        self.write(
            5,
            &format!(
                "meta = \"127.0.0.1:{meta}\"\nlisten = \"127.0.0.1\"\nnfs_port = {port}\n\
                 portmap = \"off\"\n{more}\n[cache]\nmemory = \"16MiB\""
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
        let key = self.path().join("cluster.key");
        sluice(&[
            "admin",
            "--meta",
            &meta,
            "--key",
            text(&key),
            "--json",
            "status",
        ])
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

/// Whose key is another one is told so in words, and the cluster goes on without it.
#[test]
fn another_key_is_told_in_words() {
    let cluster = Cluster::new();
    let mut programs: Vec<Program> = (0..=4).map(|daemon| cluster.start(daemon)).collect();
    for metrics in &cluster.metrics[..=4] {
        wait_ready(*metrics);
    }
    let other = cluster.path().join("other.key");
    assert!(
        sluice(&["config", "new-key", text(&other)])
            .status
            .success()
    );
    let config = cluster.path().join("gateway.toml");
    let with_other = std::fs::read_to_string(&config)
        .unwrap()
        .replace("cluster.key", "other.key");
    std::fs::write(&config, with_other).unwrap();
    let refused = sluice(&["gateway", "--config", text(&config)]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "it started");
    assert!(
        words.contains("it has another cluster key: copy"),
        "{words}"
    );

    let meta = format!("127.0.0.1:{}", cluster.meta);
    let admin = |how: &[&str]| {
        let refused = sluice(&[&["admin", "--meta", &meta, "status"], how].concat());
        assert!(!refused.status.success());
        String::from_utf8_lossy(&refused.stderr).into_owned()
    };
    let words = admin(&["--key", text(&other)]);
    assert!(words.contains("another cluster key"), "{words}");
    let words = admin(&["--insecure-links"]);
    assert!(words.contains("does not answer"), "{words}");
    let words = admin(&["--key", "/nowhere/cluster.key"]);
    assert!(words.contains("--key FILE"), "{words}");

    // A storage daemon with another key waits, not ready, and says why to look.
    assert_eq!(programs[1].terminate().code(), Some(0));
    let config = cluster.path().join("storage0.toml");
    let right = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, right.replace("cluster.key", "other.key")).unwrap();
    programs[1] = cluster.start(1);
    wait_unready(cluster.metrics[1], "another cluster key");
    assert_eq!(programs[1].terminate().code(), Some(0));
    std::fs::write(&config, right).unwrap();
    programs[1] = cluster.start(1);
    wait_ready(cluster.metrics[1]);
    assert!(cluster.status_output().status.success());
    for program in &mut programs {
        assert_eq!(program.terminate().code(), Some(0));
    }
}

/// Load balancers see that a gateway stops before it stops; whoever is in a hurry asks a second time.
#[test]
fn a_gateway_is_not_ready_before_it_stops() {
    let cluster = Cluster::new();
    let mut programs: Vec<Program> = (0..=4).map(|daemon| cluster.start(daemon)).collect();
    cluster.write_gateway_with("drain_delay = \"1h\"");
    let config = std::fs::read_to_string(cluster.path().join("gateway.toml")).unwrap();
    let port = config.split("nfs_port = ").nth(1).unwrap();
    let port: u16 = port.lines().next().unwrap().parse().unwrap();
    let nfs = SocketAddr::from(([127, 0, 0, 1], port));
    programs.push(cluster.start(5));
    wait_ready(cluster.metrics[5]);
    let mut client = std::net::TcpStream::connect(nfs).unwrap();

    programs[5].signal(Signal::TERM);
    wait_unready(cluster.metrics[5], "nfs: stopping");
    assert_eq!(null_call(&mut client), Some(0), "it serves on");
    let mut new = std::net::TcpStream::connect(nfs).unwrap();
    assert_eq!(null_call(&mut new), Some(0), "new connections too");

    programs[5].signal(Signal::TERM);
    assert_eq!(programs[5].wait().code(), Some(0));
    assert_eq!(null_call(&mut client), None);
    assert!(std::net::TcpStream::connect(nfs).is_err());
    for program in &mut programs[..=4] {
        assert_eq!(program.terminate().code(), Some(0));
    }
}

/// NULL of NFSv3 (RFC 5531 section 9): the status of its acceptance, if there is an answer.
fn null_call(client: &mut std::net::TcpStream) -> Option<u32> {
    use std::io::{Read as _, Write as _};
    let call = [0x8000_0028_u32, 7, 0, 2, 100_003, 3, 0, 0, 0, 0, 0];
    let call: Vec<u8> = call.iter().flat_map(|word| word.to_be_bytes()).collect();
    client.set_read_timeout(Some(support::PATIENCE)).unwrap();
    client.write_all(&call).ok()?;
    let mut reply = [0; 28];
    client.read_exact(&mut reply).ok()?;
    let status = reply.last_chunk::<4>()?;
    Some(u32::from_be_bytes(*status))
}
