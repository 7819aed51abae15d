//! Headers of the data plane. What is accepted encodes to bytes that mean the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_wire::storage::{decode_reply, decode_request, encode_reply, encode_request};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = decode_request(bytes) {
        let mut again = Vec::new();
        encode_request(&request, &mut again);
        assert_eq!(decode_request(&again[..]), Ok(request));
    }
    if let Ok(reply) = decode_reply(bytes) {
        let mut again = Vec::new();
        encode_reply(&reply, &mut again);
        assert_eq!(decode_reply(&again[..]), Ok(reply));
    }
});
