//! Who may do what: the one place that reads permission bits. Operations ask it inside their
//! transaction, and ACCESS asks the same function, so the two never disagree.

use crate::{Attributes, Credentials, FileKind};

/// A set of kinds of access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access(u8);

impl Access {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Execute a file, search a directory.
    pub const EXECUTE: Self = Self(1);
    /// Write a file, change a directory's entries.
    pub const WRITE: Self = Self(2);
    /// Read a file, list a directory.
    pub const READ: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What `credentials` may do with an inode of these attributes.
pub fn granted_access(attributes: &Attributes, credentials: &Credentials) -> Access {
    let mode = attributes.mode.bits();
    if credentials.is_root() {
        // Root reads and writes everything, and executes what anybody may execute.
        let executable = attributes.kind == FileKind::Directory || mode & 0o111 != 0;
        return if executable {
            Access::ALL
        } else {
            Access::READ.and(Access::WRITE)
        };
    }
    let shift = if credentials.uid == attributes.uid {
        6
    } else if credentials.in_group(attributes.gid) {
        3
    } else {
        0
    };
    Access(((mode >> shift) & 7) as u8)
}

/// Whether `credentials` may do all of `wanted` with an inode of these attributes.
pub fn may(attributes: &Attributes, credentials: &Credentials, wanted: Access) -> bool {
    granted_access(attributes, credentials).contains(wanted)
}

/// Whether `credentials` may change what only the owner may.
pub fn owns(attributes: &Attributes, credentials: &Credentials) -> bool {
    credentials.is_root() || credentials.uid == attributes.uid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Mode, Timestamp};

    fn file(mode: u32) -> Attributes {
        Attributes {
            kind: FileKind::Regular,
            mode: Mode::new(mode),
            link_count: 1,
            uid: 10,
            gid: 20,
            size_bytes: 0,
            used_bytes: 0,
            device: Device::default(),
            accessed: Timestamp::default(),
            modified: Timestamp::default(),
            changed: Timestamp::default(),
        }
    }

    #[test]
    fn the_first_class_that_matches_decides() {
        // The owner is refused although group and others are allowed.
        let attributes = file(0o077);
        assert!(!may(&attributes, &Credentials::new(10, 20), Access::READ));
        assert!(may(&attributes, &Credentials::new(11, 20), Access::ALL));
        assert!(may(&attributes, &Credentials::new(11, 21), Access::ALL));
        let mut grouped = Credentials::new(11, 21);
        grouped.groups.push(20);
        assert!(!may(&file(0o707), &grouped, Access::READ));
    }

    #[test]
    fn root_executes_only_what_someone_may() {
        assert!(may(&file(0o000), &Credentials::root(), Access::WRITE));
        assert!(!may(&file(0o666), &Credentials::root(), Access::EXECUTE));
        assert!(may(&file(0o001), &Credentials::root(), Access::EXECUTE));
    }
}
