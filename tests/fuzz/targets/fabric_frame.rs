//! The data plane's frame header. What is accepted keeps its limits and encodes to the very bytes it came from.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fabric::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, FrameLimits};

const LIMITS: FrameLimits = FrameLimits {
    message_bytes_max: 1 << 20,
    payload_bytes_max: 64 << 20,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((header, message)) = bytes.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return;
    };
    probe(header, message);
    // Most inputs would go no further than the checksum.
    let mut good = *header;
    let (covered, checksum) = good.split_at_mut(FRAME_HEADER_BYTES - 4);
    checksum.copy_from_slice(&crc32c::crc32c(covered).to_le_bytes());
    probe(&good, message);
});

fn probe(bytes: &[u8; FRAME_HEADER_BYTES], message: &[u8]) {
    for kind in [FrameKind::Request, FrameKind::Reply] {
        let Ok(header) = FrameHeader::decode(bytes, kind, LIMITS) else {
            continue;
        };
        assert_eq!(header.encode(), *bytes);
        assert!(header.message_bytes <= LIMITS.message_bytes_max);
        assert!(header.payload_bytes <= LIMITS.payload_bytes_max);
        let _ = header.check_message(message);
    }
}
