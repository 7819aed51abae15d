//! Identifiers as newtypes: none can be mixed up with another, and none is a bare number in a
//! signature.

use std::fmt;
use std::num::NonZeroU64;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        number_id! { $(#[$doc])* $name($inner) shown as "{}" }
    };
    ($(#[$doc:meta])* $name:ident($inner:ty) shown as $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// Wraps a raw number, as read from a wire or disk format.
            pub const fn new(raw: $inner) -> Self {
                Self(raw)
            }

            /// The raw number, for a wire or disk format.
            pub const fn raw(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }
    };
}

/// An inode: the identity of a file, directory or other node. Never zero, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(NonZeroU64);

impl InodeId {
    /// The root directory of the file system.
    pub const ROOT: Self = Self(NonZeroU64::MIN);

    /// Wraps a raw number; `None` for zero, which no inode has.
    pub const fn new(raw: u64) -> Option<Self> {
        match NonZeroU64::new(raw) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The raw number, for a wire or disk format.
    pub const fn raw(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for InodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

number_id! {
    /// Distinguishes handles made for an inode; random at creation, so that a handle cannot be
    /// guessed from an inode number alone.
    Generation(u32)
}
number_id! {
    /// Names one file system (one cluster); random at its creation, part of every file handle.
    FileSystemId(u64) shown as "{:016x}"
}
number_id! {
    /// An export of the gateway's configuration; part of every file handle.
    ExportId(u32)
}
number_id! {
    /// A placement group: an ordered list of replicas that hold the same chunks.
    GroupId(u32)
}
number_id! {
    /// A storage target: one directory or block device on one disk. Given by the metadata
    /// service when the target first registers.
    TargetId(u32)
}
number_id! {
    /// Names a target's directory for ever, made when it is formatted; random.
    TargetUuid(u128) shown as "{:032x}"
}
number_id! {
    /// The version of the cluster map; grows with each change.
    MapVersion(u64)
}
number_id! {
    /// A gateway's session with the metadata service. Zero: no session.
    SessionId(u64)
}
number_id! {
    /// Counts sessions that ended. Whoever is told a newer one serves no session that ended before it.
    FenceEpoch(u64)
}
number_id! {
    /// A stretch of time in which the metadata service knows all read leases that it gave. A new one begins with its start, and
    /// when a second gateway comes.
    LeaseTerm(u64)
}
number_id! {
    /// One start of a storage target; a new one each time unflushed data may have been lost.
    BootId(u64)
}
number_id! {
    /// Changes before a file's data does, so that (inode, data version, block) names bytes that
    /// never change: the key of every cached block.
    DataVersion(u64)
}
number_id! {
    /// A chunk's position in its file: chunk `i` holds bytes from `i * chunk_size`.
    ChunkIndex(u32)
}
number_id! {
    /// A directory entry's place in listing order: stable for the life of the entry. Zero starts
    /// a listing; entries have values from [`Cookie::FIRST_ENTRY`] up.
    Cookie(u64)
}

impl Cookie {
    /// Where a listing starts.
    pub const START: Self = Self(0);
    /// The cookie of `.` in listings that have it.
    pub const DOT: Self = Self(1);
    /// The cookie of `..` in listings that have it.
    pub const DOT_DOT: Self = Self(2);
    /// The least cookie of a real entry.
    pub const FIRST_ENTRY: Self = Self(3);
    /// The greatest cookie; positive as a signed 64-bit `d_off`, which some clients keep it in.
    pub const MAX: Self = Self(i64::MAX as u64);
}

impl TargetId {
    /// A target that has not registered yet.
    pub const UNREGISTERED: Self = Self(0);
}

/// One chunk of one file. Ordered by inode, then index, so that a file's chunks are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId {
    /// The file.
    pub inode: InodeId,
    /// The chunk's position in it.
    pub index: ChunkIndex,
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.inode, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_names_are_shown_in_hex_and_numbers_as_numbers() {
        assert_eq!(
            TargetUuid::new(0x1f).to_string(),
            "0000000000000000000000000000001f"
        );
        assert_eq!(FileSystemId::new(0x1f).to_string(), "000000000000001f");
        assert_eq!(TargetId::new(31).to_string(), "31");
    }
}
