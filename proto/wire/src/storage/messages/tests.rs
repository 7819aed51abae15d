use super::*;
use crate::sample::{Sample, Sampler, sample_struct};

sample_struct! {
    StorageRequest { target, map_version, session, fence_epoch, operation }
    FileStatus { end, allocated_bytes }
    ChunkStatus { chunk, length, version, allocated_bytes }
    TargetStatus {
        capacity_bytes, used_bytes, chunks, unstable_bytes, device_errors, checksum_errors, failed,
    }
    ScrubStep { checked_bytes, damaged, next }
}

impl Sample for StorageOperation {
    fn sample(sampler: &mut Sampler) -> Self {
        let kind = sampler.below(KINDS);
        operation(kind, sampler)
    }
}

const KINDS: u64 = 10;

fn operation(kind: u64, s: &mut Sampler) -> StorageOperation {
    match kind {
        0 => StorageOperation::Write {
            chunk: s.value(),
            range: s.value(),
            stability: s.value(),
        },
        1 => StorageOperation::Read {
            chunk: s.value(),
            range: s.value(),
        },
        2 => StorageOperation::Commit { inode: s.value() },
        3 => StorageOperation::Truncate {
            inode: s.value(),
            chunk: s.value(),
            length: s.value(),
        },
        4 => StorageOperation::Remove { inode: s.value() },
        5 => StorageOperation::FileStatus { inode: s.value() },
        6 => StorageOperation::List {
            after: s.value(),
            limit: s.value(),
        },
        7 => StorageOperation::TargetStatus,
        8 => StorageOperation::Scrub {
            after: s.value(),
            budget_bytes: s.value(),
        },
        _ => StorageOperation::Check,
    }
}

fn outcome(kind: u64, s: &mut Sampler) -> StorageOutcome {
    match kind {
        0 => StorageOutcome::Written,
        1 => StorageOutcome::Read,
        2 => StorageOutcome::Committed(s.value()),
        3 => StorageOutcome::Truncated,
        4 => StorageOutcome::Removed,
        5 => StorageOutcome::FileStatus(s.value()),
        6 => StorageOutcome::List {
            chunks: s.value(),
            end: s.value(),
        },
        7 => StorageOutcome::TargetStatus(s.value()),
        8 => StorageOutcome::Scrub(s.value()),
        _ => StorageOutcome::Check(s.value()),
    }
}

fn request_bytes(request: &StorageRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_request(request, &mut bytes);
    bytes
}

fn reply_bytes(reply: &StorageReply) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_reply(reply, &mut bytes);
    bytes
}

#[test]
fn every_request_survives_the_way_there() {
    for seed in 0..500 {
        let mut sampler = Sampler::new(seed);
        for kind in 0..KINDS {
            let request = StorageRequest {
                operation: operation(kind, &mut sampler),
                ..sampler.value()
            };
            let bytes = request_bytes(&request);
            assert_eq!(decode_request(&bytes[..]).unwrap(), request, "seed {seed}");
        }
    }
}

#[test]
fn every_reply_survives_the_way_back() {
    for seed in 0..500 {
        let mut sampler = Sampler::new(seed);
        let failed = StorageReply {
            boot: sampler.value(),
            result: Err(sampler.value()),
        };
        assert_eq!(decode_reply(&reply_bytes(&failed)[..]).unwrap(), failed);
        for kind in 0..KINDS {
            let result = Ok(outcome(kind, &mut sampler));
            let reply = StorageReply {
                boot: sampler.value(),
                result,
            };
            let bytes = reply_bytes(&reply);
            assert_eq!(decode_reply(&bytes[..]).unwrap(), reply, "seed {seed}");
        }
    }
}

#[test]
fn damaged_bytes_are_refused_or_mean_something_valid() {
    for seed in 0..2000 {
        let mut sampler = Sampler::new(seed);
        let mut bytes = request_bytes(&sampler.value());
        if bytes.is_empty() {
            continue;
        }
        let at = sampler.below(bytes.len() as u64) as usize;
        bytes[at] = sampler.bits() as u8;
        if let Ok(request) = decode_request(&bytes[..]) {
            assert_eq!(
                decode_request(&request_bytes(&request)[..]).unwrap(),
                request
            );
        }
    }
}

fn write(range: (u32, u32), inode: u64, stability: i32) -> message::StorageRequest {
    let write = message::Write {
        chunk: Some(message::ChunkId { inode, index: 0 }),
        range: Some(message::ChunkRange {
            start: range.0,
            length: range.1,
        }),
        stability,
    };
    message::StorageRequest {
        target: 1,
        map_version: 1,
        session: 1,
        fence_epoch: 1,
        operation: Some(OperationMessage::Write(write)),
    }
}

#[test]
fn bad_values_are_named() {
    let good = write((0, ChunkSize::MAX_BYTES), 1, 1);
    assert!(decode_request(&good.encode_to_vec()[..]).is_ok());
    let none = message::StorageRequest {
        operation: None,
        ..good
    };
    let bad = [
        (write((1, ChunkSize::MAX_BYTES), 1, 1), "range"),
        (write((u32::MAX, u32::MAX), 1, 1), "range"),
        (write((0, 1), 0, 1), "inode"),
        (write((0, 1), 1, 0), "stability"),
        (write((0, 1), 1, 4), "stability"),
        (none, "operation"),
    ];
    for (message, expected) in bad {
        match decode_request(&message.encode_to_vec()[..]) {
            Err(WireError::Missing { field } | WireError::Invalid { field, .. }) => {
                assert_eq!(field, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        decode_reply(&[0xff][..]),
        Err(WireError::Malformed { .. })
    ));
}
