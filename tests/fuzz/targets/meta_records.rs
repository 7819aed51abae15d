//! What the metadata service reads back from its store: the value and the key of each kind of record. What is
//! understood is written so that it is understood again.

#![no_main]

use std::fmt::Debug;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sluice_meta::MetaError;
use sluice_meta::kv::Key;
use sluice_meta::records::{
    EntryRecord, FileSystemRecord, InodeRecord, LockRecord, MapRecord, RemovalRecord, ReplyRecord,
    SessionRecord, TargetRecord, decode_number, encode_number, keys,
};
use sluice_types::InodeId;

fuzz_target!(|bytes: &[u8]| {
    let inode = |bytes: &[u8]| InodeRecord::decode(InodeId::ROOT, bytes);
    probe(bytes, inode, InodeRecord::encode);
    let entry = |bytes: &[u8]| EntryRecord::decode(&Bytes::copy_from_slice(bytes));
    probe(bytes, entry, EntryRecord::encode);
    probe(bytes, SessionRecord::decode, SessionRecord::encode);
    let lock = |bytes: &[u8]| LockRecord::decode(&Bytes::copy_from_slice(bytes));
    probe(bytes, lock, LockRecord::encode);
    probe(bytes, RemovalRecord::decode, RemovalRecord::encode);
    let reply = |bytes: &[u8]| ReplyRecord::decode(&Bytes::copy_from_slice(bytes));
    probe(bytes, reply, ReplyRecord::encode);
    probe(bytes, TargetRecord::decode, TargetRecord::encode);
    probe(bytes, MapRecord::decode, MapRecord::encode);
    probe(bytes, FileSystemRecord::decode, FileSystemRecord::encode);
    probe(
        bytes,
        |bytes| decode_number("number", bytes),
        |number| encode_number(*number),
    );
    probe_keys(&Key::new(bytes));
});

fn probe<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, MetaError>,
    encode: impl Fn(&T) -> Bytes,
) {
    if let Ok(record) = decode(bytes) {
        let again = decode(&encode(&record)).expect("what was encoded can be decoded");
        assert_eq!(again, record);
    }
}

/// Keys that are understood are the only ones for what they mean.
fn probe_keys(key: &Key) {
    if let Some(inode) = keys::parse_inode(key) {
        assert_eq!(keys::inode(inode).as_bytes(), key.as_bytes());
    }
    if let Some((directory, cookie)) = keys::parse_entry(key) {
        assert_eq!(keys::entry(directory, cookie).as_bytes(), key.as_bytes());
    }
    if let Some(uuid) = keys::parse_target(key) {
        assert_eq!(keys::target(uuid).as_bytes(), key.as_bytes());
    }
    if let Some(call) = keys::parse_reply(key) {
        assert_eq!(keys::reply(call).as_bytes(), key.as_bytes());
    }
    if let Some((inode, number)) = keys::parse_lock(key) {
        assert_eq!(keys::lock(inode, number).as_bytes(), key.as_bytes());
    }
    if let Some((client, inode)) = keys::parse_client_lock(key) {
        assert_eq!(keys::client_lock(client, inode).as_bytes(), key.as_bytes());
    }
    if let Some(session) = keys::parse_session(key) {
        assert_eq!(keys::session(session).as_bytes(), key.as_bytes());
    }
    let _ = keys::parse_removal(key);
}
