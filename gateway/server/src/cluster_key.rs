//! The cluster key's file: 64 hexadecimal digits and a newline, readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::bail;
use sluice_wire::links::LinkKey;

use crate::explain;

/// 256 secret bits, the same for all members of a cluster: one half signs file handles, with the other members prove
/// to one another that they belong together.
#[derive(Clone)]
pub struct ClusterKey([u8; 32]);

impl std::fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClusterKey(secret)")
    }
}

impl ClusterKey {
    /// The half of it that signs file handles.
    pub fn handle_key(&self) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[..16]);
        half
    }

    /// What members prove to one another: made of the other half.
    pub fn link_key(&self) -> LinkKey {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[16..]);
        LinkKey::derive(&half)
    }

    /// Reads a key.
    ///
    /// # Errors
    /// If it cannot be read, is no key, or can be read by others than its owner.
    pub fn load(file: &Path) -> anyhow::Result<Self> {
        let unreadable =
            |error: io::Error| explain::path("cannot read the cluster key", file, &error);
        let mut open = File::open(file).map_err(unreadable)?;
        let mode = open.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            bail!(
                "others than its owner have access to the cluster key {} (mode {mode:o})\nrun: chmod 600 {}",
                file.display(),
                file.display()
            );
        }
        let mut text = String::new();
        open.read_to_string(&mut text).map_err(unreadable)?;
        match parse(text.trim_end()) {
            Some(key) => Ok(key),
            None => bail!(
                "{} is not a cluster key: 64 hexadecimal digits were expected\nmake one with `sluice config new-key`, \
                 or copy it from another machine of the cluster",
                file.display()
            ),
        }
    }

    /// Makes a new key and writes it to a new file, durably.
    ///
    /// # Errors
    /// If the file is there already, or the system refuses.
    pub fn create(file: &Path) -> anyhow::Result<Self> {
        let made = || -> io::Result<Self> {
            let mut key = [0; 32];
            File::open("/dev/urandom")?.read_exact(&mut key)?;
            // Under another name first, so that a crash leaves no half key.
            let new = file.with_extension("new");
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut open = options.open(&new)?;
            let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(open, "{digits}")?;
            open.sync_all()?;
            std::fs::hard_link(&new, file)?;
            std::fs::remove_file(&new)?;
            sync_parent(file)?;
            Ok(Self(key))
        };
        made().map_err(|error| explain::path("cannot make the cluster key", file, &error))
    }

    /// Reads the key, or makes it if there is none.
    ///
    /// # Errors
    /// Those of [`ClusterKey::load`] and [`ClusterKey::create`].
    pub fn load_or_create(file: &Path) -> anyhow::Result<Self> {
        if file.exists() {
            Self::load(file)
        } else {
            Self::create(file)
        }
    }
}

fn parse(digits: &str) -> Option<ClusterKey> {
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(ClusterKey(key))
}

fn sync_parent(file: &Path) -> io::Result<()> {
    let parent = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cluster.key");
        let made = ClusterKey::load_or_create(&file).unwrap();
        let found = ClusterKey::load_or_create(&file).unwrap();
        assert_eq!(made.0, found.0);
        assert_ne!(made.handle_key(), [0; 16]);
        assert!(
            ClusterKey::create(&file).is_err(),
            "an old key was written over"
        );
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn open_or_broken_keys_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("cluster.key");
        ClusterKey::create(&file).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let words = ClusterKey::load(&file).unwrap_err().to_string();
        assert!(words.contains("chmod 600"), "{words}");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&file, "not a key\n").unwrap();
        assert!(ClusterKey::load(&file).is_err());
    }
}
