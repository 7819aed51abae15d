//! System errors in plain words that say what to do.

use std::io;
use std::net::SocketAddr;

/// Why `what` cannot listen on `address`, and which setting changes that.
pub fn listen(what: &str, address: SocketAddr, setting: &str, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another program has port {}: `ss -ltnp 'sport = :{}'` shows which; stop it, or choose another port \
             with {setting}",
            address.port(),
            address.port()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "ports below 1024 need root or CAP_NET_BIND_SERVICE; run it so, or choose another port with {setting}"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "{} is not an address of this machine: `ip -brief address` shows those that are",
            address.ip()
        ),
        _ => format!("choose another address or port with {setting}"),
    };
    anyhow::anyhow!("{what} cannot listen on {address}: {error}\n{advice}")
}

/// Why `path` cannot be used for `what`.
pub fn path(what: &str, path: &std::path::Path, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "give this user the right to it, or run as another user",
        io::ErrorKind::StorageFull => "the disk is full: free some space on it",
        io::ErrorKind::ReadOnlyFilesystem => "its file system is mounted read-only",
        io::ErrorKind::NotADirectory => "something in this path is not a directory",
        io::ErrorKind::NotFound => "make it first, or correct the path",
        _ => "see the system's message",
    };
    anyhow::anyhow!("{what} {}: {error}\n{advice}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_names_the_setting_that_changes_it() {
        let address: SocketAddr = "127.0.0.1:2049".parse().unwrap();
        let error = io::Error::from(io::ErrorKind::AddrInUse);
        let words = listen("NFS", address, "--nfs-port", &error).to_string();
        assert!(
            words.contains("127.0.0.1:2049") && words.contains("--nfs-port"),
            "{words}"
        );
    }
}
