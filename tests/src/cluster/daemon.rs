//! One process of a cluster.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::http::http_get;
use crate::guest::Network;

/// How long a daemon may take until it serves, recovery included.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// How long a daemon may take to stop after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(40);

/// A daemon: how it is started, and its process while it runs.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    /// Where it serves `/metrics`, `/healthz` and `/readyz`.
    pub(super) http: SocketAddr,
    log: PathBuf,
    /// Whether it says `ready:` on its standard output.
    says_ready: bool,
    child: Option<Child>,
}

impl Daemon {
    pub(super) fn new(
        name: &str,
        program: &Path,
        arguments: Vec<String>,
        http: SocketAddr,
        folder: &Path,
    ) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            says_ready: arguments.first().is_some_and(|first| first == "up"),
            arguments,
            http,
            log: folder.join(format!("{name}.log")),
            child: None,
        }
    }

    /// What it is called in this cluster: `up`, `meta`, `storage-1` ..., `gateway`, `gateway-2` ....
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its memory that is in use now, in bytes.
    ///
    /// # Errors
    /// If it does not run.
    pub fn resident_bytes(&self) -> Result<u64> {
        let pid = self.pid().context("the daemon does not run")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.context("no VmRSS")?.parse::<u64>()? * 1024)
    }

    /// The end of its log, for messages of failed tests.
    pub fn log_ending(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let ending = lines[lines.len().saturating_sub(30)..].join("\n");
        format!("--- the end of {}'s log:\n{ending}", self.name)
    }

    /// Whether its log has a line with `words`.
    pub fn has_logged(&self, words: &str) -> bool {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text).contains(words)
    }

    /// Starts the process; it may not serve yet.
    pub(super) fn launch(&mut self, network: &Network) -> Result<()> {
        ensure!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log)?;
        let stdout = if self.says_ready {
            Stdio::piped()
        } else {
            Stdio::from(log.try_clone()?)
        };
        let child = network
            .server_command(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it serves.
    pub(super) fn await_ready(&mut self, network: &Network) -> Result<()> {
        if self.says_ready {
            self.await_ready_line()
        } else {
            self.await_ready_answer(network)
        }
    }

    fn await_ready_line(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("it does not run")?;
        let stdout = child.stdout.take().context("its output is taken")?;
        let (sender, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Reads on to the end, so that the daemon can always write.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("ready: mount -t nfs ") {
                    let _ = sender.send(line);
                }
            }
        });
        match ready.recv_timeout(START_DEADLINE) {
            Ok(_) => Ok(()),
            Err(_) => bail!("{} did not say `ready:`\n{}", self.name, self.log_ending()),
        }
    }

    fn await_ready_answer(&mut self, network: &Network) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let answer = http_get(network, self.http, "/readyz");
            if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            let ended = self
                .child
                .as_mut()
                .map(Child::try_wait)
                .transpose()?
                .flatten();
            if ended.is_some() || Instant::now() > deadline {
                bail!(
                    "{} is not ready ({ended:?}, {answer:?})\n{}",
                    self.name,
                    self.log_ending()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it with SIGKILL, if it runs.
    pub(super) fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop with SIGTERM.
    pub(super) fn request_stop(&self) -> Result<()> {
        let child = self.child.as_ref().context("it does not run")?;
        let pid = Pid::from_child(child);
        Ok(kill_process(pid, Signal::TERM)?)
    }

    /// Waits until it has stopped; kills it if it does not.
    pub(super) fn await_stop(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("it does not run")?;
        let deadline = Instant::now() + STOP_DEADLINE;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                bail!(
                    "{} did not stop in {STOP_DEADLINE:?}\n{}",
                    self.name,
                    self.log_ending()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it runs (and has not died by itself).
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("{}", self.log_ending());
        }
    }
}
