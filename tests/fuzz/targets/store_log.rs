//! What the chunk store reads back from its disk: superblock, segment header, frames and records.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_store::format::{
    FRAME_HEADER_BYTES, Record, SegmentHeader, Superblock, decode_frame, encode_record, records,
    seal_frame,
};

fuzz_target!(|bytes: &[u8]| {
    let _ = Superblock::decode(bytes);
    let _ = SegmentHeader::decode(bytes);
    let _ = decode_frame(bytes, 0);
    let read: Vec<Record<'_>> = records(bytes).filter_map(Result::ok).collect();
    // Records that were understood are written so that they are understood again.
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    for record in &read {
        encode_record(&mut frame, record);
    }
    seal_frame(&mut frame, 1, 1, read.len() as u32, 7);
    let (header, body) = decode_frame(&frame, 7).expect("a frame just sealed");
    assert_eq!(header.records as usize, read.len());
    let again: Vec<Record<'_>> = records(body).map(|record| record.expect("a record just written")).collect();
    assert_eq!(again, read);
});
