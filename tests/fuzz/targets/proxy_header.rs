//! The PROXY protocol header of a load balancer. What is accepted is as long as it says, and within the limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::proxy::{FIXED_BYTES, HEADER_BYTES_MAX, ProxyHead, ProxyHeader};

fuzz_target!(|bytes: &[u8]| {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED_BYTES>() else {
        return;
    };
    probe(fixed, rest);
    // Most inputs would go no further than the signature.
    let mut good = *fixed;
    good[..12].copy_from_slice(b"\r\n\r\n\0\r\nQUIT\n");
    probe(&good, rest);
    let length = u16::try_from(rest.len()).unwrap_or(u16::MAX);
    good[14..].copy_from_slice(&length.to_be_bytes());
    probe(&good, rest);
});

fn probe(fixed: &[u8; FIXED_BYTES], rest: &[u8]) {
    let Ok(head) = ProxyHead::decode(fixed) else {
        return;
    };
    assert!(FIXED_BYTES + head.rest_bytes() <= HEADER_BYTES_MAX);
    let decoded = ProxyHeader::decode(head, rest);
    assert!(decoded.is_err() || rest.len() == head.rest_bytes());
}
