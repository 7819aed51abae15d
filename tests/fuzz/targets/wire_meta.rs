//! Calls of the metadata service and their results. What is accepted encodes to bytes that mean the same.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sluice_wire::meta::{decode_call, decode_result, encode_call, encode_result};

fuzz_target!(|bytes: &[u8]| {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok((context, operation)) = decode_call(bytes.clone()) {
        let again = decode_call(encode_call(context, operation.clone()));
        let (_, again) = again.expect("what was encoded can be decoded");
        assert_eq!(again, operation);
    }
    if let Ok(result) = decode_result(bytes) {
        assert_eq!(decode_result(encode_result(result.clone())), Ok(result));
    }
});
