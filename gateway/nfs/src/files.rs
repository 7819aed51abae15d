//! What the engine needs of the file service, as a trait: so that the engine's own tests can stand in for it, slow it
//! down and let it fail. [`Vfs`](sluice_vfs::Vfs) is the one real implementation.

use async_trait::async_trait;
use bytes::Bytes;
use sluice_types::{
    Cookie, FileName, FsError, Inode, InodeId, Payload, SessionId, SetAttributes, Stability,
    Timestamp,
};
use sluice_vfs::{Caller, CommitDone, ReadDone, SpaceStatus, Vfs, WriteDone};
use sluice_wire::meta::{
    AccessChecked, CancelLock, Changed, CreateHow, FreeLocks, HeldLock, Listing, Lock, LockAnswer,
    LockGrantEnd, LockGrants, Looked, LookupName, Made, NodeKind, Removed, Renamed, Share,
    SymlinkRead, TestLock, Unlock, Unshare,
};

type Outcome<T> = Result<T, FsError>;

macro_rules! file_service {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($argument:ident: $kind:ty),*) -> $done:ty;
    )*) => {
        /// The file service. All methods fail with whatever [`FsError`] says what went wrong.
        #[async_trait]
        pub trait FileService: Send + Sync + 'static {
            /// The session in whose name callers are served now; `None` after one has ended and before there is another.
            fn session(&self) -> Option<SessionId> {
                Some(SessionId::new(0))
            }
            $(
                $(#[$doc])*
                async fn $name(&self, caller: &Caller, $($argument: $kind),*) -> Outcome<$done>;
            )*
        }

        #[async_trait]
        impl FileService for Vfs {
            fn session(&self) -> Option<SessionId> {
                self.session()
            }

            $(
                async fn $name(&self, caller: &Caller, $($argument: $kind),*) -> Outcome<$done> {
                    Vfs::$name(self, caller, $($argument),*).await
                }
            )*
        }
    };
}

file_service! {
    /// An inode as it is now.
    fn get_node(inode: InodeId) -> Inode;
    /// Finds a name in a directory.
    fn lookup(directory: InodeId, entry: LookupName) -> Looked;
    /// What the caller may do with an inode.
    fn access(inode: InodeId) -> AccessChecked;
    /// Changes attributes, if the inode's ctime is the guard's where there is one.
    fn set_attributes(inode: InodeId, changes: SetAttributes, guard: Option<Timestamp>) -> Changed;
    /// A symbolic link's text.
    fn read_symlink(inode: InodeId) -> SymlinkRead;
    /// Reads from a file; beyond its end there is nothing.
    fn read(inode: InodeId, offset: u64, length: u32) -> ReadDone;
    /// Writes to a file.
    fn write(inode: InodeId, offset: u64, payload: Payload, stability: Stability) -> WriteDone;
    /// Makes what was written durable; a length of 0 means to the end.
    fn commit(inode: InodeId, offset: u64, length: u32) -> CommitDone;
    /// Creates a regular file.
    fn create(directory: InodeId, name: FileName, how: CreateHow) -> Made;
    /// Creates a directory.
    fn make_directory(directory: InodeId, name: FileName, attributes: SetAttributes) -> Made;
    /// Creates a symbolic link.
    fn make_symlink(directory: InodeId, name: FileName, attributes: SetAttributes, target: Bytes) -> Made;
    /// Creates a device, socket or pipe.
    fn make_node(directory: InodeId, name: FileName, attributes: SetAttributes, node: NodeKind) -> Made;
    /// Gives an inode another name.
    fn link(inode: InodeId, directory: InodeId, name: FileName) -> Made;
    /// Removes a name of something that is no directory.
    fn remove(directory: InodeId, name: FileName) -> Removed;
    /// Removes an empty directory.
    fn remove_directory(directory: InodeId, name: FileName) -> Removed;
    /// Moves a name.
    fn rename(from_directory: InodeId, from_name: FileName, to_directory: InodeId, to_name: FileName) -> Renamed;
    /// A page of a directory, without `.` and `..`.
    fn read_directory(directory: InodeId, after: Cookie, entries_max: u32, with_nodes: bool) -> Listing;
    /// Space used and free.
    fn file_system_status() -> SpaceStatus;
    /// Takes a lock.
    fn lock(lock: Lock) -> LockAnswer;
    /// Releases a range.
    fn unlock(unlock: Unlock) -> LockAnswer;
    /// Who is in the way of a lock.
    fn test_lock(test: TestLock) -> Option<HeldLock>;
    /// Gives up waiting for a lock; whether there was something to give up.
    fn cancel_lock(cancel: CancelLock) -> bool;
    /// Takes a share.
    fn share(share: Share) -> LockAnswer;
    /// Releases a share.
    fn unshare(unshare: Unshare) -> LockAnswer;
    /// Releases all that a client holds; how many locks and shares that were.
    fn free_locks(free: FreeLocks) -> u64;
    /// Says what became of grants, and waits up to a second for others to tell of.
    fn await_lock_grants(ended: Vec<LockGrantEnd>) -> LockGrants;
    /// What is at a path, from the root.
    fn resolve(path: &[u8]) -> Inode;
}
