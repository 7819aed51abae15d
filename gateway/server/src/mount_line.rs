//! The command that mounts what this process serves: it must work as it is printed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How clients can find the ports, once that is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortsFound {
    /// A portmapper on port 111 answers for us.
    ByPortmap,
    /// The mount options must name them.
    ByOptions,
}

/// The command for a client to mount `/` of the server at `nfs`.
pub fn mount_command(nfs: SocketAddr, ports: PortsFound) -> String {
    let host = host(nfs.ip());
    let port = nfs.port();
    // nfs(5): `tcp` means IPv4 only.
    let tcp = if host.starts_with('[') { "tcp6" } else { "tcp" };
    match ports {
        // Version 2 of portmap, ours, is not asked over IPv6.
        PortsFound::ByPortmap if tcp == "tcp6" => mount_command(nfs, PortsFound::ByOptions),
        // Version 4 is tried first on 2049; elsewhere only the portmapper knows, and it is asked for version 3.
        PortsFound::ByPortmap if port == 2049 => format!("mount -t nfs {host}:/ /mnt"),
        PortsFound::ByPortmap => format!("mount -t nfs -o vers=3 {host}:/ /mnt"),
        // Locks are found by the portmapper too: without one the client must keep them to itself.
        PortsFound::ByOptions => format!(
            "mount -t nfs -o vers=3,proto={tcp},port={port},mountproto={tcp},mountport={port},nolock {host}:/ /mnt"
        ),
    }
}

fn host(ip: IpAddr) -> String {
    match ip {
        _ if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_there_only_when_they_are_needed() {
        let command = |nfs: &str, ports| mount_command(nfs.parse().unwrap(), ports);
        assert_eq!(
            command("10.99.0.1:2049", PortsFound::ByPortmap),
            "mount -t nfs 10.99.0.1:/ /mnt"
        );
        for ports in [PortsFound::ByOptions, PortsFound::ByPortmap] {
            assert_eq!(
                command("[::1]:2049", ports),
                "mount -t nfs -o vers=3,proto=tcp6,port=2049,mountproto=tcp6,mountport=2049,nolock [::1]:/ /mnt"
            );
        }
        let options = command("0.0.0.0:12049", PortsFound::ByOptions);
        assert!(
            options.contains("port=12049,mountproto=tcp,mountport=12049"),
            "{options}"
        );
        assert!(options.ends_with("127.0.0.1:/ /mnt"), "{options}");
    }
}
