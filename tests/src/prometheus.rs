//! A Prometheus that watches a test cluster, with the configuration that the project ships.

use std::fs::File;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::http_get;
use crate::guest::Network;
use crate::scratch::{temporary_dir, test_tool};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Prometheus in a test network; killed when dropped.
#[derive(Debug)]
pub struct Prometheus<'network> {
    child: Child,
    network: &'network Network,
    address: SocketAddr,
    folder: TempDir,
}

impl<'network> Prometheus<'network> {
    /// Starts one with the configuration `config`, and waits until it answers.
    ///
    /// # Errors
    /// If it does not: with the end of its log.
    pub fn start(network: &'network Network, config: &str) -> Result<Self> {
        let folder = temporary_dir("prometheus-")?;
        std::fs::write(folder.path().join("prometheus.yml"), config)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9090));
        let child = network
            .server_command(test_tool("prometheus")?)
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()
            .context("starting Prometheus")?;
        let prometheus = Self {
            child,
            network,
            address,
            folder,
        };
        prometheus.eventually("Prometheus is ready", || {
            let answer = http_get(network, address, "/-/ready");
            Ok(answer.is_ok_and(|answer| answer.status == 200))
        })?;
        Ok(prometheus)
    }

    /// What its HTTP API answers at `path`: the `data` of it.
    ///
    /// # Errors
    /// If it answers with an error.
    pub fn api(&self, path: &str) -> Result<Value> {
        let answer = http_get(self.network, self.address, &format!("/api/v1/{path}"))?;
        let mut body: Value = serde_json::from_str(&answer.body)
            .with_context(|| format!("{path}: {}", answer.body))?;
        ensure!(body["status"] == "success", "{path}: {body}");
        Ok(body["data"].take())
    }

    /// The series that `expression` gives now, each with its value.
    ///
    /// # Errors
    /// If Prometheus does not understand it, or cannot compute it.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let data = self.api(&format!("query?query={}", percent_encoded(expression)))?;
        match data["result"].as_array() {
            Some(series) => Ok(series.clone()),
            None => bail!("{expression}: {data}"),
        }
    }

    /// Waits until it has scraped the cluster once more: what happened before is seen then.
    ///
    /// # Errors
    /// If it does not.
    pub fn await_scrape(&self) -> Result<()> {
        let before = self.scrapes()?;
        self.eventually("another scrape", || Ok(self.scrapes()? > before))
    }

    /// How often it was told something: the time stamps of a gauge that is always there.
    fn scrapes(&self) -> Result<u64> {
        let samples = self.query("sum(count_over_time(sluice_process_build_info[10m]))")?;
        let Some(sample) = samples.first() else {
            return Ok(0);
        };
        let count = sample["value"][1]
            .as_str()
            .context("a sample has no value")?;
        Ok(count.parse()?)
    }

    fn eventually(&self, what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !holds()? {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                bail!("no {what} in {PATIENCE:?}\n{}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has `promtool check KIND` look at `text`: what it complains of; empty if nothing.
///
/// # Errors
/// If it cannot be run.
pub fn complaints(kind: &str, text: &str) -> Result<String> {
    let folder = temporary_dir("promtool-")?;
    let file = folder.path().join("checked.yml");
    std::fs::write(&file, text)?;
    let mut command = Command::new(test_tool("promtool")?);
    command.args(["check", kind]);
    // Metrics it takes from its standard input only.
    if kind != "metrics" {
        command.arg(&file);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("its input")?;
    if kind == "metrics" {
        input.write_all(text.as_bytes())?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::new());
    }
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    });
    encoded.collect()
}
