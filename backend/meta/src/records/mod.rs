//! The one home of the durable format: every key and every value of the metadata store.
//!
//! Keys are one letter for the kind of record, then big-endian numbers, so that key order is number order:
//!
//! | key | value |
//! |---|---|
//! | `i` inode | [`InodeRecord`] |
//! | `e` directory cookie | [`EntryRecord`]: an entry, or a tombstone that keeps a probe chain whole |
//! | `s` inode | a symbolic link's target, as it is |
//! | `q` nanoseconds inode | [`RemovalRecord`]: removed files, oldest first |
//! | `r` inode | the nanoseconds of its `q` key |
//! | `c` letter | a counter: `i` inodes, `q` removals queued |
//! | `l` inode number | [`LockRecord`]: a lock or share of a file |
//! | `k` client inode | a `1`: the client (a keyed hash of it) has a lock or share of the file |
//! | `t` uuid | [`TargetRecord`] |
//! | `g` session | [`SessionRecord`]: the open ones |
//! | `x` call | [`ReplyRecord`]: how a call was answered, under its [`CallHash`] |
//! | `m` letter | one of a kind: `f` [`FileSystemRecord`], `m` [`MapRecord`], `n` next inode number, `s` last session, `e` fence epoch, `b` starts of the service |
//!
//! Values are a version byte, then fields in little-endian, lengths before what varies. A field is added by a new
//! version whose decoder also reads the old one; a version that is not known is an error, never
//! guessed at. The golden tests hold the bytes.

mod cluster;
mod codec;
mod entry;
mod file_system;
mod inode;
pub mod keys;
mod lock;
mod removal;
mod reply;
mod session;

pub use cluster::{MapRecord, TargetRecord};
pub use codec::{decode_number, encode_number};
pub use entry::{Entry, EntryRecord};
pub use file_system::{FORMAT_VERSION, FileSystemRecord};
pub use inode::InodeRecord;
pub use lock::{Held, LockRecord};
pub use removal::RemovalRecord;
pub use reply::{CallHash, ReplyRecord};
pub use session::SessionRecord;
