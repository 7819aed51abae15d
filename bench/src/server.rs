//! The server that is measured.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// A server, started here or not; one started here ends with this.
#[derive(Debug)]
pub struct Server {
    /// Where it serves NFS and MOUNT.
    pub address: SocketAddr,
    pid: Option<u32>,
    started: Option<(Child, TempDir)>,
}

impl Server {
    /// Starts `program up` on free ports and an empty directory beside the program.
    ///
    /// # Errors
    /// If it does not say that it is ready.
    pub fn start(program: &Path) -> Result<Self> {
        let beside = program.parent().context("the program has no folder")?;
        // Beside the build: a real disk, where a temporary folder may be memory.
        let data = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(beside)?;
        let (nfs, metrics) = (free_port()?, free_port()?);
        let mut child = Command::new(program)
            .args(["up", "--portmap", "off", "--log", "warn"])
            .args([
                "--nfs-port",
                &nfs.to_string(),
                "--metrics-port",
                &metrics.to_string(),
            ])
            .arg("--data")
            .arg(data.path())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let output = child.stdout.take().context("its output is missing")?;
        let mut lines = BufReader::new(output).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line.starts_with("ready:")));
        let pid = Some(child.id());
        let server = Self {
            address: SocketAddr::from(([127, 0, 0, 1], nfs)),
            pid,
            started: Some((child, data)),
        };
        ensure!(ready, "{} ended without saying `ready:`", program.display());
        Ok(server)
    }

    /// A server that runs already; its CPU time is known if its process is.
    pub fn running(address: SocketAddr, pid: Option<u32>) -> Self {
        Self {
            address,
            pid,
            started: None,
        }
    }

    /// CPU time the server has used, in seconds.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid?)).ok()?;
        // Fields 14 and 15 (utime, stime), counted after the name, which may hold blanks.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 =
            fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.started {
            // Its data goes with it: nothing to save.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
