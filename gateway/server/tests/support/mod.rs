//! What the tests of the program share: starting it, asking it, stopping it.

#![allow(dead_code, reason = "each test uses its part")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests wait for real processes in real time"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A `sluice` that runs; killed when dropped.
pub struct Program {
    child: Child,
    first_line: Option<String>,
}

impl Program {
    /// Starts `sluice` with these arguments; logs go to the test's own stderr.
    pub fn start(arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            child,
            first_line: None,
        }
    }

    /// Waits for its first line on stdout.
    pub fn first_line(&mut self) -> String {
        if let Some(line) = &self.first_line {
            return line.clone();
        }
        let mut line = String::new();
        let stdout = self.child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it ended before it said a line");
        self.first_line = Some(line.trim_end().to_owned());
        line.trim_end().to_owned()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGTERM, and waits for its end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Runs `sluice` to its end.
pub fn sluice(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(arguments).output().unwrap()
}

/// A loopback port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Status and body of a GET.
pub fn http_get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

/// Waits until `/readyz` there says 200; panics with its reasons.
pub fn wait_ready(address: SocketAddr) {
    let start = Instant::now();
    loop {
        let answer = http_get(address, "/readyz");
        if matches!(answer, Some((200, _))) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "not ready: {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until `/readyz` there says 503 with `part` among its reasons; gives them all.
pub fn wait_unready(address: SocketAddr, part: &str) -> String {
    let start = Instant::now();
    loop {
        let answer = http_get(address, "/readyz");
        if let Some((503, why)) = &answer
            && why.contains(part)
        {
            return why.clone();
        }
        assert!(start.elapsed() < PATIENCE, "no `{part}`: {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
