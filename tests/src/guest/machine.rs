//! One guest: what it is given, and how it is booted.

use std::fmt::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::network::{SERVER_ADDRESS, guest_address, tap_name};
use super::{Network, RunningGuest};
use crate::scratch::{repository, scratch_dir, target_dir};

/// A machine on a test network that runs one script at a time, from a fresh boot each.
#[derive(Debug)]
pub struct Guest<'network> {
    network: &'network Network,
    number: u8,
    memory_mib: u32,
    output_dir: Option<PathBuf>,
}

/// What a guest's script left.
#[derive(Debug)]
pub struct Output {
    /// The script's exit status.
    pub status: i32,
    /// What it printed, both streams.
    pub text: String,
}

impl Output {
    /// The text of a script that succeeded.
    ///
    /// # Panics
    /// With all that was printed, if it did not.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert_eq!(self.status, 0, "the guest's script failed:\n{}", self.text);
        self.text
    }
}

impl<'network> Guest<'network> {
    /// A guest with 512 MiB of memory and no output folder.
    ///
    /// # Errors
    /// If no port can be added to the network.
    pub fn new(network: &'network Network) -> Result<Self> {
        Ok(Self {
            network,
            number: network.plug_in()?,
            memory_mib: 512,
            output_dir: None,
        })
    }

    /// With this much memory instead.
    #[must_use]
    pub fn with_memory_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = memory_mib;
        self
    }

    /// With this folder of the host read-write at `/run/out`.
    #[must_use]
    pub fn with_output_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.output_dir = Some(dir.into());
        self
    }

    /// Boots, runs a shell script as root, powers off; kills the guest after `timeout`.
    ///
    /// # Errors
    /// If the guest does not boot, or the script does not end in time: with what it printed.
    pub fn run(&self, script: &str, timeout: Duration) -> Result<Output> {
        self.spawn(script)?.wait(timeout)
    }

    /// Boots and starts a shell script as root; the test goes on beside it.
    ///
    /// # Errors
    /// If User-Mode Linux cannot be started (`tests/setup.sh` installs it).
    pub fn spawn(&self, script: &str) -> Result<RunningGuest> {
        let folder = TempDir::with_prefix_in("guest-", scratch_dir()?)?;
        std::fs::write(folder.path().join("script"), script)?;
        std::fs::write(folder.path().join("env"), self.environment()?)?;
        let kernel_log = std::fs::File::create(folder.path().join("kernel.log"))?;
        let child = self
            .kernel_command(folder.path())
            .process_group(0) // its helper processes can be ended with it
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(kernel_log)
            .spawn()
            .context("starting linux.uml: tests/setup.sh installs it")?;
        Ok(RunningGuest::watch(child, folder))
    }

    fn environment(&self) -> Result<String> {
        let mut text = String::new();
        let output_dir = match &self.output_dir {
            Some(dir) => dir.canonicalize()?.display().to_string(),
            None => String::new(),
        };
        writeln!(text, "export GUEST_NAME=client-{}", self.number)?;
        writeln!(text, "export GUEST_ADDRESS={}", guest_address(self.number))?;
        writeln!(text, "export SERVER={SERVER_ADDRESS}")?;
        writeln!(text, "OUTPUT_DIR='{output_dir}'")?;
        writeln!(text, "REPOSITORY='{}'", repository().display())?;
        writeln!(text, "TARGET_DIR='{}'", target_dir()?.display())?;
        Ok(text)
    }

    fn kernel_command(&self, folder: &Path) -> Command {
        let init = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/init");
        let tap = tap_name(self.number);
        let mut command = self.network.server_command("linux.uml");
        command
            .arg(format!("mem={}M", self.memory_mib))
            .args(["quiet", "loglevel=1"])
            .args(["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"])
            .arg(format!("init={}", init.display()))
            .arg(format!("uml_dir={}/", folder.display()))
            .arg(format!("guestdir={}", folder.display()))
            .arg(format!("vec0:transport=tap,ifname={tap},depth=128,gro=1"))
            // The console is the script's: its output comes on our pipe, its input goes there.
            .args(["con=null", "con0=fd:0,fd:1"]);
        command
    }
}
