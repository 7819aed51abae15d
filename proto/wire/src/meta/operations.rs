//! Every operation of the metadata service and its outcome, as plain values.

mod administration;
mod locks;
mod removals;
mod sessions;

use bytes::Bytes;
use sluice_types::{
    Access, Attributes, ClusterMap, Cookie, DataVersion, Device, FileName, Inode, InodeId, Layout,
    LiveSessions, MapVersion, SetAttributes, TargetId, TargetUuid, Timestamp, WccAttributes,
};

pub use administration::*;
pub use locks::*;
pub use removals::*;
pub use sessions::*;

/// Ties an operation to the type of its outcome.
pub trait MetaOperation: Into<Operation> + Send {
    /// What the operation gives back.
    type Outcome: Send;

    /// Takes this operation's outcome out of the common enum; `None` if it is another's.
    fn outcome(outcome: Outcome) -> Option<Self::Outcome>;
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident => $outcome:ident),* $(,)?) => {
        /// Any operation.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Operation {
            $($(#[$doc])* $name($name),)*
        }

        /// Any outcome; each variant belongs to the operation of the same name.
        #[expect(
            clippy::large_enum_variant,
            reason = "one at a time, moved few times: a box would cost more than it saves"
        )]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Outcome {
            $(#[doc = concat!("Of [`Operation::", stringify!($name), "`].")] $name($outcome),)*
        }

        impl Operation {
            /// The operation's name in metrics and logs.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            /// All names that [`Operation::name`] can give.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];
        }

        $(
            impl From<$name> for Operation {
                fn from(operation: $name) -> Self {
                    Self::$name(operation)
                }
            }

            impl MetaOperation for $name {
                type Outcome = $outcome;

                fn outcome(outcome: Outcome) -> Option<$outcome> {
                    match outcome {
                        Outcome::$name(outcome) => Some(outcome),
                        _ => None,
                    }
                }
            }
        )*
    };
}

operations! {
    /// Finds a name in a directory.
    Lookup => Looked,
    /// Reads an inode.
    GetInode => Inode,
    /// Changes attributes.
    SetInode => Changed,
    /// Says what the caller may do.
    CheckAccess => AccessChecked,
    /// Makes a regular file.
    Create => Made,
    /// Makes a directory.
    MakeDirectory => Made,
    /// Makes a symbolic link.
    MakeSymlink => Made,
    /// Makes a fifo, socket or device node.
    MakeNode => Made,
    /// Gives an inode another name.
    Link => Made,
    /// Removes a name that is not a directory's.
    Remove => Removed,
    /// Removes an empty directory.
    RemoveDirectory => Removed,
    /// Moves a name.
    Rename => Renamed,
    /// Reads a symbolic link.
    ReadSymlink => SymlinkRead,
    /// Lists a directory.
    ReadDirectory => Listing,
    /// Counts the file system's inodes.
    FileSystemStatus => FileSystemCounts,
    /// Opens a file for writing.
    BeginWrite => Inode,
    /// Records size and times of a file being written.
    UpdateWritten => Changed,
    /// Notes that a pending truncation is done on storage.
    FinishTrim => Inode,
    /// Lists removed files whose storage is still to be freed.
    ListRemovals => Removals,
    /// Notes that removed files' storage was freed.
    FinishRemovals => Done,
    /// Asks whether a removed file's storage is still to be freed.
    FindRemoval => RemovalFound,
    /// Lists all inodes, for consistency checks.
    ListInodes => InodeList,
    /// Sets a directory's layout for new files.
    SetLayout => Changed,
    /// Reads the cluster map.
    GetMap => ClusterMap,
    /// A storage daemon reports for duty.
    RegisterTargets => Registered,
    /// A gateway says it is alive.
    OpenSession => SessionOpened,
    /// Ends a session.
    CloseSession => Done,
    /// Waits for leases to give back.
    AwaitRecalls => Recalls,
    /// Lists open sessions.
    ListSessions => SessionList,
    /// Lists files that are being written.
    ListWrites => WriteList,
    /// Takes a lock of a file's bytes.
    Lock => Locked,
    /// Releases bytes of a file.
    Unlock => Locked,
    /// Asks who is in the way of a lock.
    TestLock => LockTested,
    /// Gives up waiting for a lock.
    CancelLock => LockCancelled,
    /// Takes a share of a file.
    Share => Locked,
    /// Releases a share.
    Unshare => Locked,
    /// Releases all that a client holds.
    FreeLocks => LocksFreed,
    /// Lists locks.
    ListLocks => LockList,
    /// Releases locks on an administrator's order.
    ClearLocks => LocksFreed,
    /// Waits for locks that were waited for.
    AwaitLockGrants => LockGrants,
    /// Checks the namespace's own records against one another.
    CheckMetadata => MetadataProblems,
}

/// `name` in `directory`. Needs search permission on the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The directory.
    pub directory: InodeId,
    /// What to look up.
    pub entry: LookupName,
}

/// What a lookup can ask for: a name, or one of the two names every directory has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupName {
    /// An entry.
    Name(FileName),
    /// The directory itself (`.`).
    Current,
    /// The directory that holds this one (`..`); the root's is the root.
    Parent,
}

/// A name that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// What the name leads to.
    pub node: Inode,
    /// The directory's attributes.
    pub directory: Attributes,
}

/// Reads inode `inode`. [`sluice_types::FsError::Stale`] if it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetInode {
    /// The inode.
    pub inode: InodeId,
}

/// Changes attributes of an inode: owner rules, suid clearing and times as POSIX `chmod`, `chown`, `truncate`
/// and `utimensat` have them. A smaller size sets [`Inode::pending_trim`] in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetInode {
    /// The inode.
    pub inode: InodeId,
    /// What to set.
    pub changes: SetAttributes,
    /// Only if the inode's `changed` time is this (RFC 1813 3.3.2 `sattrguard3`).
    pub guard: Option<Timestamp>,
    /// Only if the inode's data version is this; else [`sluice_types::FsError::Busy`]. For truncations: one that comes late
    /// must not cut what was written after its sender gave it up.
    pub data_version: Option<DataVersion>,
}

/// An inode that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Before.
    pub before: WccAttributes,
    /// After.
    pub after: Inode,
}

/// Asks what the caller may do with an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckAccess {
    /// The inode.
    pub inode: InodeId,
}

/// What the caller may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessChecked {
    /// What is granted.
    pub granted: Access,
    /// The inode as it was when asked.
    pub node: Inode,
}

/// Makes a regular file. The layout is the directory's, with a fresh placement seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// In which directory.
    pub directory: InodeId,
    /// Under which name.
    pub name: FileName,
    /// What to do if the name is there already.
    pub how: CreateHow,
}

/// RFC 1813 3.3.8 `createhow3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateHow {
    /// Use a regular file that is there, with only `size_bytes` applied. (Gateways leave that out, and cut with
    /// [`SetInode`], which names a data version.)
    Unchecked(SetAttributes),
    /// Fail if the name is there.
    Guarded(SetAttributes),
    /// Fail unless the file that is there was made with the same verifier.
    Exclusive([u8; 8]),
}

/// Makes a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeDirectory {
    /// In which directory.
    pub directory: InodeId,
    /// Under which name.
    pub name: FileName,
    /// Its first attributes.
    pub attributes: SetAttributes,
}

/// Makes a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeSymlink {
    /// In which directory.
    pub directory: InodeId,
    /// Under which name.
    pub name: FileName,
    /// Its first attributes.
    pub attributes: SetAttributes,
    /// What it points to: 1 to 4095 bytes.
    pub target: Bytes,
}

/// Makes a fifo, socket or device node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeNode {
    /// In which directory.
    pub directory: InodeId,
    /// Under which name.
    pub name: FileName,
    /// Its first attributes.
    pub attributes: SetAttributes,
    /// What to make.
    pub node: NodeKind,
}

/// The nodes that [`MakeNode`] makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Named pipe.
    Fifo,
    /// Unix-domain socket.
    Socket,
    /// Block device.
    BlockDevice(Device),
    /// Character device.
    CharacterDevice(Device),
}

/// Gives `inode` (not a directory) another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The inode.
    pub inode: InodeId,
    /// In which directory.
    pub directory: InodeId,
    /// Under which name.
    pub name: FileName,
}

/// A name that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What the name leads to.
    pub node: Inode,
    /// The directory that got the name.
    pub directory: DirectoryChange,
    /// Whether the inode was there before (unchecked or repeated exclusive create, link).
    pub existed: bool,
}

impl Made {
    /// The inode if this shows all that was acknowledged of it. Of a file that is being written it may not: its size and
    /// times are known to its writer. Follows from the outcome alone, so that a repeated call is answered as the first.
    pub fn settled_node(&self) -> Option<&Inode> {
        (self.node.writer.raw() == 0).then_some(&self.node)
    }
}

/// A directory before and after an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryChange {
    /// Before.
    pub before: WccAttributes,
    /// After.
    pub after: Attributes,
}

/// Removes a name; the inode goes with its last name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remove {
    /// From which directory.
    pub directory: InodeId,
    /// The name.
    pub name: FileName,
}

/// Removes an empty directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveDirectory {
    /// From which directory.
    pub directory: InodeId,
    /// The name.
    pub name: FileName,
}

/// A name that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// What the name led to; `link_count` 0 if the inode is gone.
    pub node: Inode,
    /// The directory that lost the name.
    pub directory: DirectoryChange,
}

/// Moves a name, over a file or an empty directory that has the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// From which directory.
    pub from_directory: InodeId,
    /// The old name.
    pub from_name: FileName,
    /// To which directory.
    pub to_directory: InodeId,
    /// The new name.
    pub to_name: FileName,
}

/// A name that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The directory that lost the name.
    pub from: DirectoryChange,
    /// The directory that got it; equal to `from` if it is the same.
    pub to: DirectoryChange,
    /// What the name leads to.
    pub node: Inode,
    /// What had the new name before; `link_count` 0 if it is gone.
    pub replaced: Option<Inode>,
}

/// Reads a symbolic link. `Invalid` on any other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSymlink {
    /// The link.
    pub inode: InodeId,
}

/// A symbolic link's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymlinkRead {
    /// What it points to.
    pub target: Bytes,
    /// The link itself.
    pub node: Inode,
}

/// Lists entries with a cookie greater than `after`, in cookie order. `.` and `..` are not listed.
/// Needs read permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDirectory {
    /// The directory.
    pub directory: InodeId,
    /// Where the last page ended; below [`Cookie::FIRST_ENTRY`] to start.
    pub after: Cookie,
    /// At most so many entries (the service may give fewer, but at least one if there is one).
    pub entries_max: u32,
    /// Whether each entry's inode is wanted too.
    pub with_nodes: bool,
}

/// One page of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The entries.
    pub entries: Vec<DirectoryEntry>,
    /// Whether these were the last.
    pub end: bool,
    /// The directory itself.
    pub directory: Inode,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The name.
    pub name: FileName,
    /// What it leads to.
    pub inode: InodeId,
    /// Its place in listing order, for its life.
    pub cookie: Cookie,
    /// The inode, if asked for; left out if it went while the page was read.
    pub node: Option<Inode>,
}

/// Counts the file system's inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystemStatus;

/// The file system's inodes. (Its space is what storage targets report.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystemCounts {
    /// Inodes in use.
    pub inodes_used: u64,
    /// Inodes that can still be made.
    pub inodes_free: u64,
    /// Removed files whose storage is still to be freed.
    pub removals_queued: u64,
}

/// Opens a regular file for writing by the caller's session: gives it a new data version and notes the
/// session as its writer, durably, before the first byte changes on storage. Another live session that writes it is asked to end
/// that first; one that has ended left the file to be settled: its size may be behind what storage holds. Clears set-id bits
/// as a write by the caller does. Checks write permission (an owner always may, RFC 1813 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginWrite {
    /// The file.
    pub inode: InodeId,
}

/// Records what writing did to a file: size at least `size_bytes_min`, later times. Permission was checked
/// at [`BeginWrite`].
///
/// Only from the file's writer. One of another data version than the file has now changes nothing: it may have been sent
/// twice, and come a second time when what it tells of is over. Whoever sent it sees from the version of [`Changed::after`] that it did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateWritten {
    /// The file.
    pub inode: InodeId,
    /// The version under which it was written: that of the last [`BeginWrite`] or truncation.
    pub data_version: DataVersion,
    /// The end of the furthest byte written.
    pub size_bytes_min: u64,
    /// Space taken on storage, where all its targets were asked.
    pub used_bytes: Option<u64>,
    /// When the last write came, by the gateway's clock; `None` if nothing was written. The service never sets a
    /// time back.
    pub modified: Option<Timestamp>,
    /// Writing is over: the file has no writer any more. Must come after storage committed.
    pub end: bool,
}

/// Notes that storage holds nothing of `inode` from `trimmed_to` on. No effect unless that is still
/// the pending trim, the data version is still the same, and the asker's session the writer: else it came late, and tells nothing of a truncation that was
/// asked for since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishTrim {
    /// The file.
    pub inode: InodeId,
    /// The version of the inode whose pending trim was carried out.
    pub data_version: DataVersion,
    /// The [`Inode::pending_trim`] that was carried out.
    pub trimmed_to: u64,
    /// The file has no writer any more.
    pub end: bool,
}

/// Nothing to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done;

/// Sets the layout that new files and directories in `directory` inherit. Superuser only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLayout {
    /// The directory.
    pub directory: InodeId,
    /// The layout; its placement seed is ignored.
    pub layout: Layout,
}

/// Reads the cluster map; [`sluice_types::FsError::Unavailable`] until the cluster is formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetMap {
    /// The version the caller has; zero for none.
    pub known: MapVersion,
}

/// A storage daemon reports its targets: when it starts (they get their numbers), and every second after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterTargets {
    /// Where the daemon serves the data plane, `host:port`; empty in the same process.
    pub address: String,
    /// Its targets.
    pub targets: Vec<TargetReport>,
}

/// A target as its daemon sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetReport {
    /// The directory's own name.
    pub uuid: TargetUuid,
    /// Size in bytes.
    pub capacity_bytes: u64,
    /// Space taken in bytes.
    pub used_bytes: u64,
    /// It failed and serves nothing.
    pub failed: bool,
}

/// The numbers of the targets that registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// In the order of the report.
    pub targets: Vec<TargetId>,
    /// The current map; `None` until the cluster is formed.
    pub map: Option<ClusterMap>,
    /// Whom the targets may serve.
    pub sessions: LiveSessions,
}
