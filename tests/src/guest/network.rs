//! The network namespace that a server and its guests share.

use std::ffi::OsStr;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The server side's address in every test network.
pub const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);

/// Names of test namespaces: this, the process id of the test, and a number.
const NAME_PREFIX: &str = "sluice-test-";

/// A network namespace with a bridge; removed when dropped.
#[derive(Debug)]
pub struct Network {
    name: String,
    guests: AtomicU8,
}

impl Network {
    /// Makes a network of its own.
    ///
    /// # Errors
    /// Without root, or without iproute2 (`tests/setup.sh` installs it).
    pub fn create() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        remove_leftovers()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME_PREFIX}{}-{number}", std::process::id());
        ip(&["netns", "add", &name])?;
        let network = Self {
            name,
            guests: AtomicU8::new(0),
        };
        let address = format!("{SERVER_ADDRESS}/24");
        network.ip(&["link", "set", "lo", "up"])?;
        network.ip(&["link", "add", "br0", "type", "bridge"])?;
        network.ip(&["address", "add", &address, "dev", "br0"])?;
        network.ip(&["link", "set", "br0", "up"])?;
        Ok(network)
    }

    /// Gives the server side one more address: from 10.99.0.2 to 10.99.0.9, or from 10.99.0.220 on.
    ///
    /// # Errors
    /// If it has the address already.
    pub fn add_server_address(&self, address: Ipv4Addr) -> Result<()> {
        let address = format!("{address}/24");
        self.ip(&["address", "add", &address, "dev", "br0"])
    }

    /// A command that will run on the server side of this network. Its process is the program's
    /// own: killing it kills the program.
    pub fn server_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `action` on a thread that is on the server side of this network. Sockets made there
    /// stay in it, whichever thread uses them later.
    ///
    /// # Errors
    /// If the namespace cannot be entered.
    ///
    /// # Panics
    /// If `action` does.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        let path = format!("/run/netns/{}", self.name);
        let namespace = File::open(&path).with_context(|| format!("opening {path}"))?;
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(action())
            });
            match inside.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Adds a port for one more guest: its number, from 1.
    pub(super) fn plug_in(&self) -> Result<u8> {
        let number = self.guests.fetch_add(1, Ordering::Relaxed) + 1;
        if number > 200 {
            bail!("a test network has addresses for 200 guests");
        }
        let tap = tap_name(number);
        self.ip(&["tuntap", "add", "dev", &tap, "mode", "tap"])?;
        self.ip(&["link", "set", &tap, "master", "br0", "up"])?;
        Ok(number)
    }

    fn ip(&self, arguments: &[&str]) -> Result<()> {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(arguments);
        ip(&all)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!("could not remove the test network: {error:#}");
        }
    }
}

/// The tap device of guest `number`.
pub(super) fn tap_name(number: u8) -> String {
    format!("tap{number}")
}

/// The address of guest `number`.
pub(super) fn guest_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, 10 + number)
}

/// Removes the namespaces of test runs that were killed.
fn remove_leftovers() -> Result<()> {
    let Ok(names) = std::fs::read_dir("/run/netns") else {
        return Ok(()); // No namespace was ever made here.
    };
    for entry in names {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(rest) = name.strip_prefix(NAME_PREFIX) else {
            continue;
        };
        let owner = rest.split('-').next().unwrap_or_default();
        let gone = owner.parse::<u32>().is_ok() && !Path::new("/proc").join(owner).exists();
        if gone {
            end_leftover(name);
        }
    }
    Ok(())
}

/// Ends what a killed test run left in a namespace that it made, and removes the namespace. Another run may do the
/// same at the same time, so nothing here can fail.
fn end_leftover(name: &str) {
    let inside = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = inside.map(|output| output.stdout).unwrap_or_default();
    for pid in String::from_utf8_lossy(&pids).lines() {
        if let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let _ = ip(&["netns", "delete", name]);
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("running ip: tests/setup.sh installs it")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("ip {} failed: {}", arguments.join(" "), said.trim());
    }
    Ok(())
}
