//! Keys of the metadata store; the table is in [`super`].

use sluice_types::{Cookie, InodeId, SessionId, TargetUuid};

use super::CallHash;
use crate::kv::{Key, KeyRange};

/// The [`super::FileSystemRecord`].
pub fn file_system() -> Key {
    Key::new(b"mf")
}

/// The [`super::MapRecord`].
pub fn cluster_map() -> Key {
    Key::new(b"mm")
}

/// The least inode number that was never reserved.
pub fn next_inode() -> Key {
    Key::new(b"mn")
}

/// The last session's number.
pub fn last_session() -> Key {
    Key::new(b"ms")
}

/// How many sessions ended: the fence epoch.
pub fn fence_epoch() -> Key {
    Key::new(b"me")
}

/// How often the service started.
pub fn starts() -> Key {
    Key::new(b"mb")
}

/// A [`super::SessionRecord`].
pub fn session(session: SessionId) -> Key {
    Key::new(b"g").with(&session.raw().to_be_bytes())
}

/// All open sessions.
pub fn sessions() -> KeyRange {
    KeyRange::prefix(b"g")
}

/// The number of a session's key; `None` if it is another key.
pub fn parse_session(key: &Key) -> Option<SessionId> {
    let number = key.as_bytes().strip_prefix(b"g")?;
    Some(SessionId::new(u64::from_be_bytes(number.try_into().ok()?)))
}

/// Counts inodes.
pub fn inode_count() -> Key {
    Key::new(b"ci")
}

/// Counts queued removals.
pub fn removal_count() -> Key {
    Key::new(b"cq")
}

/// An [`super::InodeRecord`].
pub fn inode(inode: InodeId) -> Key {
    Key::new(b"i").with(&inode.raw().to_be_bytes())
}

/// The inode of an inode's key; `None` if it is another key.
pub fn parse_inode(key: &Key) -> Option<InodeId> {
    let number = key.as_bytes().strip_prefix(b"i")?;
    InodeId::new(u64::from_be_bytes(number.try_into().ok()?))
}

/// All inodes with a greater number than `after`.
pub fn inodes_after(after: Option<InodeId>) -> KeyRange {
    let all = KeyRange::prefix(b"i");
    match after {
        Some(after) => KeyRange::new(inode(after).successor(), all.end),
        None => all,
    }
}

/// An [`super::EntryRecord`].
pub fn entry(directory: InodeId, cookie: Cookie) -> Key {
    Key::new(b"e")
        .with(&directory.raw().to_be_bytes())
        .with(&cookie.raw().to_be_bytes())
}

/// A directory's entries after `after`.
pub fn entries_after(directory: InodeId, after: Cookie) -> KeyRange {
    let prefix = Key::new(b"e").with(&directory.raw().to_be_bytes());
    let all = KeyRange::prefix(prefix.as_bytes());
    KeyRange::new(entry(directory, after).successor(), all.end)
}

/// All entries of all directories.
pub fn all_entries() -> KeyRange {
    KeyRange::prefix(b"e")
}

/// The directory and cookie of an entry's key; `None` if it is another key.
pub fn parse_entry(key: &Key) -> Option<(InodeId, Cookie)> {
    let numbers = key.as_bytes().strip_prefix(b"e")?;
    let (directory, cookie) = numbers.split_first_chunk::<8>()?;
    let directory = InodeId::new(u64::from_be_bytes(*directory))?;
    let cookie = u64::from_be_bytes(cookie.try_into().ok()?);
    Some((directory, Cookie::new(cookie)))
}

/// A symbolic link's target.
pub fn symlink(inode: InodeId) -> Key {
    Key::new(b"s").with(&inode.raw().to_be_bytes())
}

/// A [`super::RemovalRecord`], in the queue.
pub fn removal(queued_at_nanoseconds: u64, inode: InodeId) -> Key {
    Key::new(b"q")
        .with(&queued_at_nanoseconds.to_be_bytes())
        .with(&inode.raw().to_be_bytes())
}

/// The whole removal queue.
pub fn removals() -> KeyRange {
    KeyRange::prefix(b"q")
}

/// The inode of a removal's key; `None` if it is another key.
pub fn parse_removal(key: &Key) -> Option<InodeId> {
    let numbers = key.as_bytes().strip_prefix(b"q")?;
    let inode = numbers.get(8..)?.try_into().ok()?;
    InodeId::new(u64::from_be_bytes(inode))
}

/// Where in the queue an inode's removal is.
pub fn removal_of(inode: InodeId) -> Key {
    Key::new(b"r").with(&inode.raw().to_be_bytes())
}

/// A [`super::LockRecord`]: the lock of that number of a file.
pub fn lock(inode: InodeId, number: u64) -> Key {
    Key::new(b"l")
        .with(&inode.raw().to_be_bytes())
        .with(&number.to_be_bytes())
}

/// All locks of a file.
pub fn locks_of(inode: InodeId) -> KeyRange {
    KeyRange::prefix(Key::new(b"l").with(&inode.raw().to_be_bytes()).as_bytes())
}

/// All locks of all files.
pub fn all_locks() -> KeyRange {
    KeyRange::prefix(b"l")
}

/// The file and number of a lock's key; `None` if it is another key.
pub fn parse_lock(key: &Key) -> Option<(InodeId, u64)> {
    let numbers = key.as_bytes().strip_prefix(b"l")?;
    let (inode, number) = numbers.split_first_chunk::<8>()?;
    let inode = InodeId::new(u64::from_be_bytes(*inode))?;
    Some((inode, u64::from_be_bytes(number.try_into().ok()?)))
}

/// That a client has locks of a file; the client by its keyed hash.
pub fn client_lock(client: u64, inode: InodeId) -> Key {
    Key::new(b"k")
        .with(&client.to_be_bytes())
        .with(&inode.raw().to_be_bytes())
}

/// The files of which a client has locks.
pub fn client_locks_after(client: u64, after: Option<InodeId>) -> KeyRange {
    let all = KeyRange::prefix(Key::new(b"k").with(&client.to_be_bytes()).as_bytes());
    match after {
        Some(after) => KeyRange::new(client_lock(client, after).successor(), all.end),
        None => all,
    }
}

/// All clients' files.
pub fn all_client_locks() -> KeyRange {
    KeyRange::prefix(b"k")
}

/// The client's hash and the file of such a key; `None` if it is another key.
pub fn parse_client_lock(key: &Key) -> Option<(u64, InodeId)> {
    let numbers = key.as_bytes().strip_prefix(b"k")?;
    let (client, inode) = numbers.split_first_chunk::<8>()?;
    let inode = InodeId::new(u64::from_be_bytes(inode.try_into().ok()?))?;
    Some((u64::from_be_bytes(*client), inode))
}

/// A [`super::TargetRecord`].
pub fn target(uuid: TargetUuid) -> Key {
    Key::new(b"t").with(&uuid.raw().to_be_bytes())
}

/// The uuid of a target's key; `None` if it is another key.
pub fn parse_target(key: &Key) -> Option<TargetUuid> {
    let uuid = key.as_bytes().strip_prefix(b"t")?;
    Some(TargetUuid::new(u128::from_be_bytes(uuid.try_into().ok()?)))
}

/// All targets that ever registered.
pub fn targets() -> KeyRange {
    KeyRange::prefix(b"t")
}

/// A [`super::ReplyRecord`].
pub fn reply(call: CallHash) -> Key {
    Key::new(b"x").with(call.bytes())
}

/// The call of a reply's key; `None` if it is another key.
pub fn parse_reply(key: &Key) -> Option<CallHash> {
    let hash = key.as_bytes().strip_prefix(b"x")?;
    Some(CallHash::new(hash.try_into().ok()?))
}

/// All replies.
pub fn replies() -> KeyRange {
    KeyRange::prefix(b"x")
}
