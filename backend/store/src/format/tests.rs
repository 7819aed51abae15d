//! Golden bytes, and decoders against arbitrary ones.

use proptest::prelude::*;
use sluice_types::{ChunkId, ChunkIndex, FileSystemId, InodeId, TargetId, TargetUuid};

use super::*;
use crate::StoreError;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn chunk(inode: u64, index: u32) -> ChunkId {
    ChunkId {
        inode: InodeId::new(inode).unwrap(),
        index: ChunkIndex::new(index),
    }
}

fn superblock() -> Superblock {
    Superblock {
        target: TargetId::new(0x0102_0304),
        uuid: TargetUuid::new(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
        slab_blocks: 65536,
        file_system: None,
    }
}

fn superblock_of_a_file_system() -> Superblock {
    Superblock {
        file_system: Some(FileSystemId::new(0x1122_3344_5566_7788)),
        ..superblock()
    }
}

fn segment() -> SegmentHeader {
    SegmentHeader {
        number: 7,
        uuid: superblock().uuid,
        first_sequence: 0x1122,
        salt: 0xdead_beef_0bad_cafe,
        log_start: 5,
    }
}

fn extent() -> Extent {
    Extent::new(ExtentParts {
        address: 0x0102_0304_0506,
        parent_blocks: 16,
        skip: 3,
        blocks: 5,
        chunk_block: 0x0120,
        crc: 0xaabb_ccdd,
    })
}

fn sample_records() -> Vec<Record<'static>> {
    vec![
        Record::ChunkState {
            chunk: chunk(9, 2),
            version: 3,
            length: 0x0013_0000,
            extents: vec![extent()],
        },
        Record::Data {
            chunk: chunk(9, 2),
            version: 4,
            offset: 5,
            bytes: b"hello",
        },
        Record::RemoveFile {
            inode: InodeId::new(9).unwrap(),
            version: 6,
        },
        Record::Cut {
            chunk: chunk(9, 1),
            length: 77,
            version: 7,
        },
        Record::RemoveChunk {
            chunk: chunk(9, 1),
            version: 8,
        },
    ]
}

fn kept_data() -> Record<'static> {
    Record::KeptData {
        chunk: chunk(9, 2),
        version: 9,
        offset: 5,
        bytes: b"hello",
    }
}

fn sample_frame() -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    for record in sample_records() {
        encode_record(&mut frame, &record);
    }
    seal_frame(&mut frame, 0x1122, 5, 5, segment().salt);
    frame
}

/// Bytes of version 1, made by hand from the byte map. If this fails, the format changed: give it a new version and keep reading this one.
#[test]
fn golden_bytes_of_version_1() {
    let block = superblock().encode();
    assert_eq!(hex(&block[..40]), GOLDEN_SUPERBLOCK);
    assert_eq!(hex(&block[4092..]), GOLDEN_SUPERBLOCK_CRC);
    let block = superblock_of_a_file_system().encode();
    assert_eq!(hex(&block[..48]), GOLDEN_SUPERBLOCK_OF_A_FILE_SYSTEM);
    let block = segment().encode();
    assert_eq!(hex(&block[..64]), GOLDEN_SEGMENT);
    assert_eq!(hex(&block[4092..]), GOLDEN_SEGMENT_CRC);
    assert_eq!(hex(&extent().encode()), GOLDEN_EXTENT);
    assert_eq!(hex(&sample_frame()), GOLDEN_FRAME);
    let mut body = Vec::new();
    encode_record(&mut body, &kept_data());
    assert_eq!(hex(&body), GOLDEN_KEPT_DATA);
}

const GOLDEN_SUPERBLOCK: &str =
    "534c5549434553540100000004030201ffeeddccbbaa998877665544332211000000010000000000";
const GOLDEN_SUPERBLOCK_OF_A_FILE_SYSTEM: &str = "534c5549434553540100000004030201ffeeddccbbaa9988776655443322110000000100887766554433221100000000";
const GOLDEN_SUPERBLOCK_CRC: &str = "d23783b8";
const GOLDEN_SEGMENT: &str = "534c554943454c4701000000000000000700000000000000ffeeddccbbaa998877665544332211002211000000000000fecaad0befbeadde0500000000000000";
const GOLDEN_SEGMENT_CRC: &str = "9e7e973a";
const GOLDEN_EXTENT: &str = "0605040302013f0420010000ddccbbaa";
const GOLDEN_KEPT_DATA: &str = "0600000005000000090000000000000002000000050000000900000000000000\
    68656c6c6f000000";
const GOLDEN_FRAME: &str = "\
    534c46528791ac9e22110000000000000500000000000000b80000000500000001000000010000000900000000000000\
    020000000000130003000000000000000605040302013f0420010000ddccbbaa02000000050000000900000000000000\
    0200000005000000040000000000000068656c6c6f000000030000000000000009000000000000000000000000000000\
    060000000000000004000000000000000900000000000000010000004d00000007000000000000000500000000000000\
    090000000000000001000000000000000800000000000000";

#[test]
fn blocks_are_read_back() {
    assert_eq!(
        Superblock::decode(&superblock().encode()).unwrap(),
        superblock()
    );
    assert_eq!(
        Superblock::decode(&superblock_of_a_file_system().encode()).unwrap(),
        superblock_of_a_file_system()
    );
    assert_eq!(
        SegmentHeader::decode(&segment().encode()).unwrap(),
        Some(segment())
    );
    assert_eq!(Extent::decode(&extent().encode()), Some(extent()));
    let frame = sample_frame();
    let (header, body) = decode_frame(&frame, segment().salt).unwrap();
    assert_eq!(
        (header.sequence, header.log_start, header.records),
        (0x1122, 5, 5)
    );
    let read: Result<Vec<_>, _> = records(body).collect();
    assert_eq!(read.unwrap(), sample_records());
    let mut body = Vec::new();
    encode_record(&mut body, &kept_data());
    let read: Result<Vec<_>, _> = records(&body).collect();
    assert_eq!(read.unwrap(), [kept_data()]);
}

#[test]
fn any_changed_bit_is_noticed() {
    let frame = sample_frame();
    for bit in 0..frame.len() * 8 {
        let mut changed = frame.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(decode_frame(&changed, segment().salt).is_err(), "bit {bit}");
    }
    assert_eq!(
        decode_frame(&frame, 1),
        Err(FrameError::Checksum),
        "another segment's salt"
    );
    let block = superblock().encode();
    for bit in (0..block.len() * 8).step_by(61) {
        let mut changed = block;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(Superblock::decode(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn another_version_is_named() {
    let mut block = superblock().encode();
    block[8] = 9;
    let refused = Superblock::decode(&block);
    assert!(
        matches!(
            refused,
            Err(StoreError::UnknownVersion {
                found: 9,
                expected: 1,
                ..
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn names_of_files_are_exact() {
    assert_eq!(parse_segment_name(&segment_name(12)), Some(12));
    assert_eq!(
        parse_segment_name(&segment_name(123_456_789_012)),
        Some(123_456_789_012)
    );
    assert_eq!(parse_slab_name(&slab_name(70_000)), Some(70_000));
    for name in [
        "log-1",
        "log-+0000001",
        "log-00000001.old",
        "slab-1",
        "slab--001",
    ] {
        assert_eq!(
            (parse_segment_name(name), parse_slab_name(name)),
            (None, None),
            "{name}"
        );
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for record in records(&bytes) {
            let _ = record;
        }
        let _ = decode_frame(&bytes, 0);
        let _ = Superblock::decode(&bytes);
        let _ = SegmentHeader::decode(&bytes);
    }

    #[test]
    fn damaged_records_never_panic(at in 0_usize..200, value in any::<u8>(), end in 0_usize..280) {
        let mut body = Vec::new();
        for record in sample_records().into_iter().chain([kept_data()]) {
            encode_record(&mut body, &record);
        }
        body.truncate(end.max(1));
        let at = at % body.len();
        body[at] = value;
        let decoded: Vec<_> = records(&body).collect();
        prop_assert!(decoded.len() <= 7);
    }

    #[test]
    fn extents_are_what_they_were_made_of(
        address in 0_u64..1 << 48, parent in 1_u32..17, skip in 0_u32..16, blocks in 0_u32..16,
        window in 0_u32..1024, crc in any::<u32>(),
    ) {
        let skip = skip % parent;
        let blocks = 1 + blocks % (parent - skip);
        let parts = ExtentParts { address, parent_blocks: parent, skip, blocks, chunk_block: window * 16, crc };
        let extent = Extent::new(parts);
        prop_assert_eq!(Extent::decode(&extent.encode()), Some(extent));
        let found = ExtentParts {
            address: extent.address(),
            parent_blocks: extent.parent_blocks(),
            skip: extent.skip(),
            blocks: extent.blocks(),
            chunk_block: extent.chunk_block(),
            crc: extent.crc(),
        };
        prop_assert_eq!(found, parts);
    }
}
