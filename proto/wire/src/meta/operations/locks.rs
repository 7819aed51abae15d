//! Locks of files: ranges of bytes, and shares as DOS clients have them.
//!
//! An owner is told from others by all of [`LockOwner`]. What it holds in a file never overlaps: a new lock takes the place
//! of what the owner had in that range, and neighbours of one kind become one. Locks are durable, and belong to no
//! gateway. Who waits for a lock is kept in memory, and asks again after a restart of the service.

use std::net::IpAddr;

use bytes::Bytes;
use sluice_types::{Access, InodeId, LockRange};

/// A machine whose programs take locks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LockClient {
    /// What it calls itself.
    pub name: Bytes,
    /// Where it calls from; an IPv4 address always as such.
    pub address: IpAddr,
}

/// Who has or wants a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LockOwner {
    /// The machine.
    pub client: LockClient,
    /// The process there, as the machine numbers it.
    pub process: i32,
    /// What else tells owners apart there.
    pub handle: Bytes,
}

/// A lock that is held, wanted or in the way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeldLock {
    /// Whose.
    pub owner: LockOwner,
    /// Which bytes.
    pub range: LockRange,
    /// Whether nobody else may have a lock there; else others may share it.
    pub exclusive: bool,
}

/// What to do if a lock cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockWait {
    /// Refuse it.
    No,
    /// Queue it: the owner is told when it has it ([`AwaitLockGrants`]).
    Called,
    /// Queue it: the owner cannot be told, but asks again every few seconds.
    Polling,
}

/// Takes a lock of a regular file. Asked again for what the owner holds already, it is granted again. Needs read or write
/// permission, or to be the file's owner.
///
/// # Errors
/// [`sluice_types::FsError::Stale`]; [`sluice_types::FsError::Invalid`] if it is no regular file;
/// [`sluice_types::FsError::AccessDenied`]; [`sluice_types::FsError::NameTooLong`] for a client or owner that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The file.
    pub inode: InodeId,
    /// The lock.
    pub lock: HeldLock,
    /// What to do if it cannot be had.
    pub wait: LockWait,
    /// The number of the client's present life; see [`FreeLocks`].
    pub client_state: i32,
    /// Comes back with the grant if it is queued.
    pub note: Bytes,
}

/// How a lock call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockAnswer {
    /// Done, durably.
    Granted,
    /// Somebody else has what is in the way.
    Denied,
    /// The same, and it is in the queue.
    Waiting,
    /// The file, the client or the service has all the locks, or waits for all, that one may.
    TooMany,
}

/// How a lock call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// How.
    pub answer: LockAnswer,
}

/// Releases what `owner` has in `range`, and its waiting for just that range. Granted also if there is nothing; too many if
/// it would cut one lock into two and the file has all it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlock {
    /// The file; it may be gone.
    pub inode: InodeId,
    /// Whose locks.
    pub owner: LockOwner,
    /// Which bytes.
    pub range: LockRange,
}

/// Asks who is in the way of a lock.
///
/// # Errors
/// Those of [`Lock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestLock {
    /// The file.
    pub inode: InodeId,
    /// The lock that is thought of.
    pub lock: HeldLock,
}

/// Who is in the way of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockTested {
    /// The first lock in the way; `None` if it could be had.
    pub holder: Option<HeldLock>,
}

/// Gives up waiting for a lock; also if it was just granted, and the owner not yet told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelLock {
    /// The file.
    pub inode: InodeId,
    /// As it was asked for.
    pub lock: HeldLock,
}

/// Whether there was something to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockCancelled {
    /// There was.
    pub found: bool,
}

/// Takes a share of a regular file, in place of the one that the owner has. Refused if another's share denies `access`, or has
/// what `deny` denies. (It binds other shares, not reads and writes.)
///
/// # Errors
/// Those of [`Lock`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The file.
    pub inode: InodeId,
    /// Whose.
    pub owner: LockOwner,
    /// What the owner does: of [`Access::READ`] and [`Access::WRITE`].
    pub access: Access,
    /// What others may not do meanwhile.
    pub deny: Access,
}

/// Releases a share; granted also if there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unshare {
    /// The file; it may be gone.
    pub inode: InodeId,
    /// Whose.
    pub owner: LockOwner,
}

/// Releases all that a client holds and waits for: it has restarted, or says so itself.
///
/// Its name is compared up to the first dot, without regard to case, as machines call themselves by short and by long names;
/// its address exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeLocks {
    /// The client.
    pub client: LockClient,
    /// The number of the life that has begun: what the client took in it stays. `None` if all is to go.
    pub client_state: Option<i32>,
}

/// What was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocksFreed {
    /// How many locks and shares.
    pub count: u64,
}

/// Where a lock is in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockPlace {
    /// The file.
    pub inode: InodeId,
    /// The lock's number in the file.
    pub number: u64,
}

/// Lists locks in the order of their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListLocks {
    /// Only of this file.
    pub inode: Option<InodeId>,
    /// Only of clients of this name.
    pub client: Option<Bytes>,
    /// Where the last page ended.
    pub after: Option<LockPlace>,
    /// At most so many that are held.
    pub limit: u32,
}

/// A page of locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockList {
    /// What is held; behind it, on the last page, what is waited for.
    pub locks: Vec<LockStatus>,
    /// Whether these were the last.
    pub end: bool,
}

/// A lock or share in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockStatus {
    /// Where it is.
    pub place: LockPlace,
    /// Whose it is.
    pub owner: LockOwner,
    /// Which bytes; `None` of a share.
    pub range: Option<LockRange>,
    /// Whether it is exclusive.
    pub exclusive: bool,
    /// What the owner of a share does.
    pub access: Access,
    /// What others may not do.
    pub deny: Access,
    /// It is waited for, not held.
    pub waiting: bool,
}

/// Releases locks on an administrator's order: of a file, of clients of a name, or of those in that. Superuser only.
///
/// # Errors
/// [`sluice_types::FsError::NotPermitted`]; [`sluice_types::FsError::Invalid`] if neither is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClearLocks {
    /// Only of this file.
    pub inode: Option<InodeId>,
    /// Only of clients of this name.
    pub client: Option<Bytes>,
}

/// Waits until there are grants for the caller's session: locks that were waited for and are now held. Answered at once if
/// there are, else after at most a second. What a session does not fetch for a second is given to any other.
///
/// A grant is given once, and again to anyone if nothing is told of it for a while; after some tries it is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitLockGrants {
    /// What became of grants that were given.
    pub ended: Vec<LockGrantEnd>,
}

/// What became of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockGrantEnd {
    /// Its number.
    pub grant: u64,
    /// The owner took it. If not, the lock is released again.
    pub accepted: bool,
}

/// Locks that were waited for and are now held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockGrants {
    /// In the order they were granted.
    pub grants: Vec<LockGrant>,
    /// Of what was told not to be accepted: the grants whose owners were thought to wait still.
    pub missed: Vec<u64>,
}

/// A lock that was waited for and is now held: its owner is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockGrant {
    /// Its number.
    pub grant: u64,
    /// The file.
    pub inode: InodeId,
    /// The lock, as it was asked for.
    pub lock: HeldLock,
    /// What came with the asking.
    pub note: Bytes,
}
