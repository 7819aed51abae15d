//! A header that parses is the same when it was encoded and parsed again; reply headers too. (Not the same bytes:
//! the body of AUTH_NONE and the values of padding are not kept.)

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::rpc::{CallHeader, ReplyHeader};
use sluice_proto_nfs::xdr::{Decode, Decoder, Encode};

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::new(bytes);
    if let Ok(header) = CallHeader::parse(&mut decoder) {
        let again = header.to_bytes();
        assert!(again.len() <= decoder.position());
        assert_eq!(CallHeader::parse(&mut Decoder::new(&again)), Ok(header));
    }
    // A reply's verifier is not kept: the same header comes back, not the same bytes.
    if let Ok(header) = ReplyHeader::from_bytes(bytes) {
        assert_eq!(ReplyHeader::from_bytes(&header.to_bytes()), Ok(header));
    }
});
