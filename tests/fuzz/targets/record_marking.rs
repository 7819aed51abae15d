//! The stream is cut into the same records whatever the pieces it comes in, and none is over the limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::rpc::{RecordAssembler, RecordLimits};

const LIMITS: RecordLimits = RecordLimits {
    record_length_max: 4096,
    fragments_max: 8,
};

fn records(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
    let mut assembler = RecordAssembler::new(LIMITS);
    let mut records = Vec::new();
    for mut input in stream.chunks(piece) {
        loop {
            match assembler.push(&mut input) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(_) => return (records, true),
            }
        }
    }
    (records, false)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let whole = records(stream, stream.len().max(1));
    assert!(whole.0.iter().all(|record| record.len() <= LIMITS.record_length_max));
    assert_eq!(records(stream, usize::from(piece).max(1)), whole);
});
