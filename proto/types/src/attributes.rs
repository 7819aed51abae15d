//! File attributes as POSIX and NFSv3 have them, free of any wire format.

use std::time::Duration;

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Regular file: the only kind with data on storage.
    Regular,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Named pipe.
    Fifo,
    /// Unix-domain socket.
    Socket,
    /// Block device.
    BlockDevice,
    /// Character device.
    CharacterDevice,
}

/// Permission, set-id and sticky bits: the low 12 bits of `st_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mode(u16);

impl Mode {
    /// Set-user-id on execution.
    pub const SET_UID: u16 = 0o4000;
    /// Set-group-id on execution; on a directory: new entries take its group.
    pub const SET_GID: u16 = 0o2000;
    /// On a directory: only owners remove or rename entries.
    pub const STICKY: u16 = 0o1000;

    /// Keeps the low 12 bits of `bits`.
    pub const fn new(bits: u32) -> Self {
        Self((bits & 0o7777) as u16)
    }

    /// The 12 bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether any of `bits` is set.
    pub const fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    /// Without `bits`.
    pub const fn without(self, bits: u16) -> Self {
        Self(self.0 & !bits)
    }

    /// With `bits`.
    pub const fn with(self, bits: u16) -> Self {
        Self((self.0 | bits) & 0o7777)
    }
}

/// Device numbers of a device node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Device {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

/// Wall-clock time since the Unix epoch, to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

impl Timestamp {
    /// A time; `nanoseconds` of a second or more carry over.
    pub const fn new(seconds: i64, nanoseconds: u32) -> Self {
        Self {
            seconds: seconds.saturating_add((nanoseconds / 1_000_000_000) as i64),
            nanoseconds: nanoseconds % 1_000_000_000,
        }
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second, below 10^9.
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// The time `later` after this one.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let nanoseconds = self.nanoseconds + later.subsec_nanos();
        let seconds = i64::try_from(later.as_secs()).unwrap_or(i64::MAX);
        Self::new(self.seconds.saturating_add(seconds), nanoseconds)
    }
}

/// What `stat` shows of an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// What the inode is.
    pub kind: FileKind,
    /// Permission, set-id and sticky bits.
    pub mode: Mode,
    /// Number of names (a directory: 2 and one for each directory in it).
    pub link_count: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Space taken on storage, in bytes.
    pub used_bytes: u64,
    /// Device numbers; zero but for device nodes.
    pub device: Device,
    /// Last read (kept as relatime does, not on every read).
    pub accessed: Timestamp,
    /// Last change of the data.
    pub modified: Timestamp,
    /// Last change of data or attributes.
    pub changed: Timestamp,
}

impl Attributes {
    /// The part that NFSv3 weak cache consistency compares (RFC 1813 2.6 `wcc_attr`).
    pub fn wcc(&self) -> WccAttributes {
        WccAttributes {
            size_bytes: self.size_bytes,
            modified: self.modified,
            changed: self.changed,
        }
    }
}

/// Attributes before an operation, for weak cache consistency (RFC 1813 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WccAttributes {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Last change of the data.
    pub modified: Timestamp,
    /// Last change of data or attributes.
    pub changed: Timestamp,
}

/// What a time is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The metadata service's clock.
    Now,
    /// The caller's value.
    To(Timestamp),
}

/// The attributes an operation sets; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttributes {
    /// Permission, set-id and sticky bits.
    pub mode: Option<Mode>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Size in bytes, regular files only.
    pub size_bytes: Option<u64>,
    /// Last read.
    pub accessed: Option<SetTime>,
    /// Last change of the data.
    pub modified: Option<SetTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_carry_nanoseconds() {
        let time = Timestamp::new(1, 999_999_999).plus(Duration::new(2, 2));
        assert_eq!((time.seconds(), time.nanoseconds()), (4, 1));
    }

    #[test]
    fn mode_keeps_twelve_bits() {
        assert_eq!(Mode::new(0o100_644).bits(), 0o644);
        assert_eq!(Mode::new(0o4755).without(Mode::SET_UID).bits(), 0o755);
    }
}
