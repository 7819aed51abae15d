//! The messages with which members of a cluster prove their key to one another. What is accepted has exactly the body that its
//! head announces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_wire::links::{HEAD_BYTES, LinkService, MessageHead, read_message};

fuzz_target!(|bytes: &[u8]| {
    let Some((head, body)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return;
    };
    probe(head, body);
    // Most inputs would go no further than the first bytes.
    let mut good = *head;
    good[..5].copy_from_slice(b"SLnk\x01");
    probe(&good, body);
});

fn probe(head: &[u8; HEAD_BYTES], body: &[u8]) {
    let Ok(decoded) = MessageHead::decode(head) else {
        assert!(read_message(head, body, LinkService::Storage).is_err());
        return;
    };
    // As a socket's reader has it: the body is as long as the head says.
    let Some(body) = body.get(..decoded.body_bytes()) else {
        return;
    };
    let services = [LinkService::Metadata, LinkService::Storage];
    let read = services.map(|service| read_message(head, body, service).is_ok());
    assert_ne!(read, [true, true], "a message is for one service");
}
