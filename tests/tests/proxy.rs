//! Debian's HAProxy before a gateway, with the configuration that docs/LOAD_BALANCING.md shows; a stock client mounts through
//! it.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::guest::SERVER_ADDRESS;
use sluice_tests::scratch::repository;

const MINUTE: Duration = Duration::from_secs(60);

/// Clients come to the usual port, where HAProxy is; so the gateway has another.
const PROXY_PORT: u16 = 2049;
const GATEWAY_PORT: u16 = 12_049;

/// The addresses of the first two guests, as HAProxy has to pass them on: the second may not mount.
const GATEWAY_CONFIG: &str = "proxy_protocol_from = [\"10.99.0.1\"]\n\
     [[exports]]\npath = \"/\"\nnetworks = [\"10.99.0.11/32\"]\nprivileged_ports_only = true\n";

/// NFS, MOUNT, NLM and NSM are all on the one port that HAProxy has.
const MOUNT: &str = "mount -t nfs \
     -o vers=3,hard,proto=tcp,mountproto=tcp,nolock,port=2049,mountport=2049,nconnect=4 $SERVER:/ /run/mnt";

/// HAProxy; ended when dropped.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The example of the documentation, with the addresses of this network and one gateway.
fn configuration(folder: &Path) -> PathBuf {
    let example = repository().join("docs/examples/haproxy.cfg");
    let example = std::fs::read_to_string(example).unwrap();
    let lines = example.lines().filter(|line| {
        let other = ["gateway2", "gateway3"];
        !line.starts_with('#') && !other.iter().any(|other| line.contains(other))
    });
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let gateway = format!("{SERVER_ADDRESS}:{GATEWAY_PORT} addr 127.0.0.1");
    let text = text
        .replace("10.0.0.5:2049", &format!("{SERVER_ADDRESS}:{PROXY_PORT}"))
        .replace("10.0.0.11:2049", &gateway);
    assert!(
        text.contains("send-proxy-v2") && !text.contains("10.0.0."),
        "{text}"
    );
    let file = folder.join("haproxy.cfg");
    std::fs::write(&file, text).unwrap();
    file
}

fn start_proxy(cluster: &Cluster) -> Proxy {
    let configuration = configuration(cluster.data_dir());
    let mut command = cluster.network().server_command("haproxy");
    let child = command
        .args(["-db", "-f"])
        .arg(configuration)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let proxy = Proxy(child);
    let address = SocketAddr::from((SERVER_ADDRESS, PROXY_PORT));
    eventually("HAProxy listens", || {
        let connected = cluster.network().enter(|| TcpStream::connect(address));
        connected.unwrap().is_ok()
    });
    proxy
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < MINUTE, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn behind_proxy() -> (Proxy, Cluster) {
    let settings = Settings {
        nfs_port: GATEWAY_PORT,
        gateway_config: GATEWAY_CONFIG,
        ..Settings::default()
    };
    let cluster = Cluster::start_with(Shape::Separate, settings).unwrap();
    (start_proxy(&cluster), cluster)
}

#[test]
fn a_stock_client_mounts_through_haproxy_and_exports_are_for_its_own_address() {
    let (proxy, mut cluster) = behind_proxy();
    let first = cluster.guest().unwrap();
    let script = format!(
        "set -e
        {MOUNT}
        grep nconnect=4 /proc/mounts
        dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null
        cp /tmp/data /run/mnt/data
        sync /run/mnt/data
        umount /run/mnt
        {MOUNT}
        cmp /tmp/data /run/mnt/data && echo the same
        umount /run/mnt"
    );
    let said = first.run(&script, MINUTE).unwrap().expect_success();
    assert!(said.contains("the same"), "{said}");
    // Its port is its own too: one that takes no root is refused.
    let unprivileged = MOUNT.replace("-o ", "-o noresvport,");
    let script = format!("{unprivileged} && ls /run/mnt && echo served; true");
    let said = first.run(&script, MINUTE).unwrap().expect_success();
    assert!(!said.contains("served"), "{said}");

    let second = cluster.guest().unwrap();
    let script = format!("{MOUNT} && echo mounted; true");
    let said = second.run(&script, MINUTE).unwrap().expect_success();
    assert!(
        said.contains("denied") && !said.contains("mounted"),
        "{said}"
    );

    // Past HAProxy from the address that HAProxy has: without the header nobody is served.
    let direct = SocketAddr::from((SERVER_ADDRESS, GATEWAY_PORT));
    let connected = cluster.network().enter(|| TcpStream::connect(direct));
    let mut stream = connected.unwrap().unwrap();
    let call = [&[0x80, 0, 0, 0x28][..], &[0; 40]].concat();
    std::io::Write::write_all(&mut stream, &call).unwrap();
    let read = std::io::Read::read(&mut stream, &mut [0; 16]);
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert!(cluster.gateway().has_logged("send-proxy-v2"));
    drop(proxy);
    cluster.terminate().unwrap();
}

/// A gateway is taken away and comes back while a client writes: the client sees a pause.
#[test]
fn a_client_goes_on_when_its_gateway_was_restarted() {
    let (proxy, mut cluster) = behind_proxy();
    let guest = cluster.guest().unwrap();
    let script = format!(
        "set -e
        {MOUNT}
        echo early >/run/mnt/file
        sync /run/mnt/file
        echo wrote
        read go
        echo late >>/run/mnt/file
        sync /run/mnt/file
        cat /run/mnt/file
        umount /run/mnt"
    );
    let mut running = guest.spawn(&script).unwrap();
    running.wait_for_line("wrote", MINUTE).unwrap();
    cluster.kill9_one("gateway").unwrap();
    running.send_line("go").unwrap();
    cluster.start_all().unwrap();
    let said = running.wait(2 * MINUTE).unwrap().expect_success();
    assert!(said.contains("early") && said.contains("late"), "{said}");
    drop(proxy);
    cluster.terminate().unwrap();
}
