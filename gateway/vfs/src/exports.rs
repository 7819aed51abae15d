//! What the gateway offers to whom: parts of the tree, allowed networks, and as whom callers count.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;
use sluice_types::{Credentials, ExportId, NAME_BYTES_MAX};
use thiserror::Error;

/// Uid and gid of nobody.
const NOBODY: u32 = 65_534;

/// Ports below this one take root, or CAP_NET_BIND_SERVICE, on the machine whose they are.
const PRIVILEGED_PORTS_END: u16 = 1024;

/// Longest path that a client can mount: MNTPATHLEN of RFC 1813 section 5.1.1.
const PATH_BYTES_MAX: usize = 1024;

/// Whose identity is replaced by the anonymous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squash {
    /// The superuser's; group 0 too.
    Root,
    /// Everybody's.
    All,
    /// Nobody's: root is root.
    None,
}

/// A part of the tree that some clients may mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its number, part of every handle given out through it.
    pub id: ExportId,
    /// Its root: `/`, or `/a/b` without a slash at the end.
    pub path: Vec<u8>,
    /// Which clients; empty for all.
    pub networks: Vec<IpNet>,
    /// Whether only calls from a port below 1024 are served, which on the client takes root.
    pub privileged_ports_only: bool,
    /// Whether changes are refused.
    pub read_only: bool,
    /// Whose identity is replaced.
    pub squash: Squash,
    /// The anonymous user.
    pub anonymous_uid: u32,
    /// The anonymous group.
    pub anonymous_gid: u32,
}

impl Default for Export {
    /// The whole tree, for all networks, to read and write, root being root.
    fn default() -> Self {
        Self {
            id: ExportId::new(1),
            path: b"/".to_vec(),
            networks: Vec::new(),
            privileged_ports_only: false,
            read_only: false,
            squash: Squash::None,
            anonymous_uid: NOBODY,
            anonymous_gid: NOBODY,
        }
    }
}

impl Export {
    /// Whether a path can be an export's.
    ///
    /// # Errors
    /// [`ExportError::BadPath`] unless it is `/`, or absolute, in its shortest form, without NUL, and as long as a mount
    /// and names can be.
    pub fn check_path(path: &[u8]) -> Result<(), ExportError> {
        match is_canonical(path) && path.len() <= PATH_BYTES_MAX {
            true => Ok(()),
            false => Err(ExportError::BadPath(shown(path))),
        }
    }

    /// Whether a network can be one of an export's.
    ///
    /// # Errors
    /// [`ExportError::MappedNetwork`]: clients over IPv4 are matched by their IPv4 address, so nobody would be in it.
    pub fn check_network(network: IpNet) -> Result<(), ExportError> {
        match network {
            IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => {
                Err(ExportError::MappedNetwork(network))
            }
            _ => Ok(()),
        }
    }

    /// Whether a client may use it.
    pub fn allows(&self, client: IpAddr) -> bool {
        // A client that came over a dual-stack socket is matched by its IPv4 address.
        let client = client.to_canonical();
        self.networks.is_empty()
            || self
                .networks
                .iter()
                .any(|network| network.contains(&client))
    }

    /// Whether a client may use it from this port of its own.
    pub fn allows_port(&self, client_port: u16) -> bool {
        !self.privileged_ports_only || client_port < PRIVILEGED_PORTS_END
    }

    /// As whom a caller counts.
    pub fn squash(&self, mut credentials: Credentials) -> Credentials {
        match self.squash {
            Squash::None => credentials,
            Squash::All => Credentials::new(self.anonymous_uid, self.anonymous_gid),
            Squash::Root => {
                if credentials.uid == 0 {
                    credentials.uid = self.anonymous_uid;
                }
                if credentials.gid == 0 {
                    credentials.gid = self.anonymous_gid;
                }
                for group in &mut credentials.groups {
                    if *group == 0 {
                        *group = self.anonymous_gid;
                    }
                }
                credentials
            }
        }
    }

    /// Whether `path` is the export's root or below it.
    fn covers(&self, path: &[u8]) -> bool {
        match path.strip_prefix(self.path.as_slice()) {
            Some(rest) => rest.is_empty() || rest[0] == b'/' || self.path == b"/",
            None => false,
        }
    }
}

/// Why a list of exports makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExportError {
    /// Two exports have one number.
    #[error("two exports have the id {0}: give each its own")]
    SameId(ExportId),
    /// Two exports have one path.
    #[error("`{0}` is exported twice: keep one of the two")]
    SamePath(String),
    /// A path that is not absolute, too long, or has a component that no name can be.
    #[error(
        "`{0}` is not a path to export: write it from the root, as in `/` or `/projects/film`, in at most \
         {PATH_BYTES_MAX} bytes"
    )]
    BadPath(String),
    /// An IPv4 network written as IPv6.
    #[error("`{0}` is IPv4 written as IPv6: write it as IPv4, as in `10.0.0.0/8`")]
    MappedNetwork(IpNet),
}

/// All exports of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exports {
    exports: Vec<Export>,
}

impl Exports {
    /// Checks and takes a list of exports.
    ///
    /// # Errors
    /// Ids and paths must each be unique; and those of [`Export::check_path`] and [`Export::check_network`].
    pub fn new(exports: Vec<Export>) -> Result<Self, ExportError> {
        let (mut ids, mut paths) = (HashSet::new(), HashSet::new());
        for export in &exports {
            Export::check_path(&export.path)?;
            export
                .networks
                .iter()
                .copied()
                .try_for_each(Export::check_network)?;
            if !ids.insert(export.id) {
                return Err(ExportError::SameId(export.id));
            }
            if !paths.insert(&export.path) {
                return Err(ExportError::SamePath(shown(&export.path)));
            }
        }
        Ok(Self { exports })
    }

    /// All, in the order of the configuration.
    pub fn all(&self) -> &[Export] {
        &self.exports
    }

    /// Whether a client may use any of them.
    pub fn allow(&self, client: IpAddr) -> bool {
        self.exports.iter().any(|export| export.allows(client))
    }

    /// The export of that number.
    pub fn by_id(&self, id: ExportId) -> Option<&Export> {
        self.exports.iter().find(|export| export.id == id)
    }

    /// The export that a client who mounts `path` gets: of those that it may use, the one whose root is nearest
    /// above the path.
    pub fn for_path(&self, path: &[u8], client: IpAddr) -> Option<&Export> {
        let path = without_slashes_at_end(path);
        self.exports
            .iter()
            .filter(|export| export.covers(path) && export.allows(client))
            .max_by_key(|export| export.path.len())
    }
}

impl Default for Exports {
    /// The one default export.
    fn default() -> Self {
        let exports = vec![Export::default()];
        Self { exports }
    }
}

fn is_canonical(path: &[u8]) -> bool {
    let Some(rest) = path.strip_prefix(b"/") else {
        return false;
    };
    let is_name = |part: &[u8]| {
        !matches!(part, b"" | b"." | b"..") && !part.contains(&0) && part.len() <= NAME_BYTES_MAX
    };
    rest.is_empty() || rest.split(|&byte| byte == b'/').all(is_name)
}

/// A path as messages show it, NUL and the like made visible.
fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).escape_debug().to_string()
}

fn without_slashes_at_end(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let [shorter @ .., b'/'] = path {
        if shorter.is_empty() {
            break;
        }
        path = shorter;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(id: u32, path: &str, network: &str) -> Export {
        Export {
            id: ExportId::new(id),
            path: path.as_bytes().to_vec(),
            networks: vec![network.parse().unwrap()],
            ..Export::default()
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_nearest_root_that_the_client_may_use_wins() {
        let exports = Exports::new(vec![
            export(1, "/", "10.0.0.0/8"),
            export(2, "/data", "10.1.0.0/16"),
            export(3, "/data/private", "10.1.1.0/24"),
        ])
        .unwrap();
        let id = |path: &[u8], client| exports.for_path(path, ip(client)).map(|e| e.id.raw());
        assert_eq!(id(b"/", "10.9.9.9"), Some(1));
        assert_eq!(id(b"/data/private/x", "10.1.1.1"), Some(3));
        assert_eq!(id(b"/data/private/x", "10.1.2.1"), Some(2));
        assert_eq!(id(b"/data/private/", "10.9.9.9"), Some(1));
        assert_eq!(id(b"/database", "10.1.1.1"), Some(1));
        assert_eq!(id(b"/data", "192.168.0.1"), None);
        assert_eq!(id(b"/data", "::ffff:10.1.1.1"), Some(2));
        assert!(exports.allow(ip("10.1.1.1")) && exports.allow(ip("::ffff:10.9.9.9")));
        assert!(!exports.allow(ip("192.168.0.1")) && !exports.allow(ip("::1")));
    }

    #[test]
    fn ids_and_paths_are_unique_and_canonical() {
        let two = |a: Export, b: Export| Exports::new(vec![a, b]);
        let same_id = two(export(1, "/a", "0.0.0.0/0"), export(1, "/b", "0.0.0.0/0"));
        assert_eq!(same_id, Err(ExportError::SameId(ExportId::new(1))));
        let same_path = two(export(1, "/a", "0.0.0.0/0"), export(2, "/a", "0.0.0.0/0"));
        assert_eq!(same_path, Err(ExportError::SamePath("/a".into())));
        for path in ["", "a", "/a/", "//", "/a//b", "/a/../b", "/."] {
            let one = Exports::new(vec![export(1, path, "0.0.0.0/0")]);
            assert_eq!(one, Err(ExportError::BadPath(path.into())), "{path}");
        }
    }

    #[test]
    fn what_no_client_could_use_is_refused() {
        let name = "n".repeat(NAME_BYTES_MAX);
        let longest = format!("/{name}/{name}/{name}/{}", &name[..NAME_BYTES_MAX]);
        assert_eq!(longest.len(), PATH_BYTES_MAX);
        assert_eq!(Export::check_path(longest.as_bytes()), Ok(()));
        for wrong in [
            "/a\0b".to_owned(),
            format!("{longest}/a"),
            format!("/{name}n"),
        ] {
            let error = Export::check_path(wrong.as_bytes()).unwrap_err();
            assert_eq!(
                error,
                ExportError::BadPath(wrong.escape_debug().to_string())
            );
        }
        for mapped in ["::ffff:10.0.0.0/104", "::ffff:10.0.0.1/128"] {
            let one = Exports::new(vec![export(1, "/", mapped)]);
            assert_eq!(
                one,
                Err(ExportError::MappedNetwork(mapped.parse().unwrap()))
            );
        }
        for network in ["::/0", "fd00::/8", "10.0.0.0/8"] {
            assert!(Exports::new(vec![export(1, "/", network)]).is_ok());
        }
    }

    #[test]
    fn ports_matter_where_they_are_asked_for() {
        let mut export = Export::default();
        assert!(export.allows_port(1023) && export.allows_port(1024));
        export.privileged_ports_only = true;
        assert!(export.allows_port(1023) && !export.allows_port(1024));
    }

    #[test]
    fn squashing_replaces_whom_it_should() {
        let mut root = Credentials::root();
        root.groups.push(0);
        root.groups.push(7);
        let mut export = Export::default();
        assert_eq!(export.squash(root.clone()), root);
        export.squash = Squash::Root;
        let squashed = export.squash(root.clone());
        assert_eq!((squashed.uid, squashed.gid), (NOBODY, NOBODY));
        assert_eq!(squashed.groups.as_slice(), [NOBODY, 7]);
        let user = Credentials::new(5, 6);
        assert_eq!(export.squash(user.clone()), user);
        export.squash = Squash::All;
        assert_eq!(export.squash(user), Credentials::new(NOBODY, NOBODY));
    }
}
