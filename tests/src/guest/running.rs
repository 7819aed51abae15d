//! A booted guest: its console, its end.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::Output;

/// A guest whose script runs; killed when dropped.
#[derive(Debug)]
pub struct RunningGuest {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    text: String,
    folder: TempDir,
}

impl RunningGuest {
    /// Takes over a started kernel.
    pub(super) fn watch(mut child: Child, folder: TempDir) -> Self {
        let (sender, lines) = channel();
        let stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stdout);
                let mut line = Vec::new();
                while matches!(reader.read_until(b'\n', &mut line), Ok(count) if count > 0) {
                    let text = String::from_utf8_lossy(&line).replace('\r', "");
                    line.clear();
                    if sender.send(text).is_err() {
                        break;
                    }
                }
            });
        }
        Self {
            child,
            stdin,
            lines,
            text: String::new(),
            folder,
        }
    }

    /// Waits until the script prints a line that contains `mark`; that line.
    ///
    /// # Errors
    /// With what was printed, if the guest ends or `timeout` passes first.
    pub fn wait_for_line(&mut self, mark: &str, timeout: Duration) -> Result<String> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.next_line(deadline) {
                Ok(line) if line.contains(mark) => return Ok(line),
                Ok(_) => {}
                Err(error) => {
                    let ending = self.ending();
                    bail!("no line with {mark:?} ({error}):\n{ending}");
                }
            }
        }
    }

    /// Sends a line to the script's standard input (what `read` gets).
    ///
    /// # Errors
    /// If the guest has ended.
    pub fn send_line(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("the guest has no console")?;
        writeln!(stdin, "{line}")?;
        Ok(stdin.flush()?)
    }

    /// Waits for the script's end.
    ///
    /// # Errors
    /// With what was printed, if it does not end before `timeout` (the guest is killed then) or
    /// the guest dies without running it.
    pub fn wait(mut self, timeout: Duration) -> Result<Output> {
        let deadline = Instant::now() + timeout;
        let ended = loop {
            match self.next_line(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break true,
                Err(RecvTimeoutError::Timeout) => break false,
            }
        };
        if !ended {
            let ending = self.ending();
            bail!("the guest did not end within {timeout:?}:\n{ending}");
        }
        self.child.wait()?;
        let status = std::fs::read_to_string(self.folder.path().join("status"));
        let Some(status) = status.ok().and_then(|text| text.trim().parse().ok()) else {
            let ending = self.ending();
            bail!("the guest died before its script ended:\n{ending}");
        };
        Ok(Output {
            status,
            text: std::mem::take(&mut self.text),
        })
    }

    /// Pulls the plug: the guest stops at once, with nothing flushed.
    pub fn kill(self) {
        drop(self);
    }

    fn next_line(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.lines.recv_timeout(left)?;
        // The kernel's farewell is no output of the script.
        if !line.contains("reboot: System halted") {
            self.text.push_str(&line);
        }
        Ok(line)
    }

    /// What the script printed and the kernel logged, for a failure's message.
    fn ending(&self) -> String {
        let log = std::fs::read(self.folder.path().join("kernel.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        format!("{}\n--- kernel: {}", self.text, log.trim())
    }
}

impl Drop for RunningGuest {
    fn drop(&mut self) {
        let running = matches!(self.child.try_wait(), Ok(None));
        if running && let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            // Its own group, made when it was started.
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
