//! `sluice up`: serves, says so in one line, stops in order, and finds everything again.

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;

use rustix::process::Signal;
use support::{Program, free_port, http_get, sluice, text, wait_ready};
use tempfile::TempDir;

struct Up {
    program: Program,
    metrics: SocketAddr,
    ready_line: String,
}

fn start(data: &Path) -> Up {
    start_on(data, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn start_on(data: &Path, listen: IpAddr) -> Up {
    let metrics_port = free_port();
    let mut program = Program::start(&[
        "up",
        "--data",
        text(data),
        "--listen",
        &listen.to_string(),
        "--nfs-port",
        "0",
        "--metrics-port",
        &metrics_port.to_string(),
        "--portmap",
        "off",
        "--cache-memory",
        "16MiB",
        "--log",
        "warn",
    ]);
    let ready_line = program.first_line();
    Up {
        program,
        metrics: SocketAddr::new(listen, metrics_port),
        ready_line,
    }
}

fn admin_json(data: &Path, command: &[&str]) -> serde_json::Value {
    let mut arguments = vec!["admin", "--data", text(data), "--json"];
    arguments.extend(command);
    let output = sluice(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn it_serves_over_ipv6_and_says_how_to_mount_that() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let mut up = start_on(&data, IpAddr::V6(Ipv6Addr::LOCALHOST));
    let line = up.ready_line.clone();
    assert!(
        line.contains("proto=tcp6,") && line.ends_with(" [::1]:/ /mnt"),
        "{line}"
    );
    let (_, port) = line.split_once(",port=").unwrap();
    let (port, _) = port.split_once(',').unwrap();
    TcpStream::connect((Ipv6Addr::LOCALHOST, port.parse().unwrap())).unwrap();
    wait_ready(up.metrics);
    admin_json(&data, &["status"]);
    assert_eq!(up.program.terminate().code(), Some(0));
}

#[test]
fn it_serves_says_so_stops_in_order_and_finds_everything_again() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let mut up = start(&data);
    let line = &up.ready_line;
    assert!(
        line.starts_with("ready: mount -t nfs -o ") && line.ends_with("127.0.0.1:/ /mnt"),
        "{line}"
    );
    assert_eq!(http_get(up.metrics, "/readyz").unwrap().0, 200);
    let first = admin_json(&data, &["status"]);
    assert_eq!(first["targets"].as_array().unwrap().len(), 4);
    assert_eq!(
        admin_json(&data, &["check"])["problems"],
        serde_json::json!([])
    );
    assert_eq!(up.program.terminate().code(), Some(0));

    let mut up = start(&data);
    wait_ready(up.metrics);
    let second = admin_json(&data, &["status"]);
    assert_eq!(first["file_system"], second["file_system"]);
    for target in 0..4 {
        let uuid = |status: &serde_json::Value| status["targets"][target]["uuid"].clone();
        assert_eq!(uuid(&first), uuid(&second));
    }
    up.program.signal(Signal::INT);
    assert_eq!(up.program.wait().code(), Some(0));
    assert!(
        !sluice(&["admin", "--data", text(&data), "status"])
            .status
            .success()
    );
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let mut first = start(dir.path());
    let second = sluice(&[
        "up",
        "--data",
        text(dir.path()),
        "--nfs-port",
        "0",
        "--metrics-port",
        "0",
        "--portmap",
        "off",
    ]);
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        !second.status.success() && words.contains("in use by another process"),
        "{words}"
    );
    // The one that was there is not disturbed; killed without a word, it leaves no lock behind.
    assert_eq!(http_get(first.metrics, "/readyz").unwrap().0, 200);
    first.program.signal(Signal::KILL);
    first.program.wait();
    let mut again = start(dir.path());
    assert_eq!(again.program.terminate().code(), Some(0));
}

fn up_fails(data: &Path) -> String {
    let zero = ["--nfs-port", "0", "--metrics-port", "0", "--portmap", "off"];
    let arguments = ["up", "--data", text(data)].into_iter().chain(zero);
    let output = sluice(&arguments.collect::<Vec<_>>());
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_disk_that_is_not_mounted_is_not_made_a_new_target() {
    let dir = TempDir::new().unwrap();
    assert_eq!(start(dir.path()).program.terminate().code(), Some(0));
    let target = dir.path().join("targets/3");
    let disk = dir.path().join("disk");
    std::fs::rename(&target, &disk).unwrap();
    std::fs::create_dir(&target).unwrap();
    let words = up_fails(dir.path());
    assert!(
        words.contains("targets/3") && words.contains("not mounted"),
        "{words}"
    );
    assert!(!target.join("superblock").exists());
    std::fs::remove_dir_all(&target).unwrap();
    std::fs::rename(&disk, &target).unwrap();
    let mut up = start(dir.path());
    assert_eq!(
        admin_json(dir.path(), &["status"])["targets"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(up.program.terminate().code(), Some(0));
}

#[test]
fn metadata_of_another_file_system_is_refused() {
    let dir = TempDir::new().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    for data in [&one, &other] {
        assert_eq!(start(data).program.terminate().code(), Some(0));
    }
    std::fs::remove_dir_all(one.join("meta")).unwrap();
    std::fs::rename(other.join("meta"), one.join("meta")).unwrap();
    let words = up_fails(&one);
    assert!(
        words.contains("targets/1") && words.contains("belongs to file system"),
        "{words}"
    );
}

#[test]
fn a_port_in_use_is_explained() {
    let dir = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--nfs-port", "--metrics-port"] {
        let mut arguments = vec![
            "up",
            "--data",
            text(dir.path()),
            "--portmap",
            "off",
            flag,
            &port,
        ];
        let other = if flag == "--nfs-port" {
            "--metrics-port"
        } else {
            "--nfs-port"
        };
        arguments.extend([other, "0"]);
        let output = sluice(&arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && words.contains(flag), "{words}");
    }
}

#[test]
fn a_directory_with_other_things_in_it_is_left_alone() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let output = sluice(&["up", "--data", text(dir.path()), "--portmap", "off"]);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && words.contains("thesis.tex"),
        "{words}"
    );
}
