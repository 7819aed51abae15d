//! Extents, pieces and plans against plain byte and block maps.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::format::{BLOCK_BYTES, Extent, ExtentParts};

const BLOCK: u32 = BLOCK_BYTES as u32;

fn piece(bytes: Vec<u8>, version: u64) -> Piece {
    Piece::new(Bytes::from(bytes), version, false)
}

/// A fresh extent in its window, at an address of its own.
fn extent(number: u64, start: u32, blocks: u32) -> Extent {
    let blocks = blocks.min(16 - start % 16);
    Extent::new(ExtentParts {
        address: number * 16,
        parent_blocks: blocks,
        skip: 0,
        blocks,
        chunk_block: start,
        crc: number as u32,
    })
}

/// Which slab block each chunk block is in.
fn map_of(extents: &[Extent]) -> BTreeMap<u32, u64> {
    let blocks = extents.iter().flat_map(|extent| {
        let first = extent.address() + u64::from(extent.skip());
        (0..extent.blocks())
            .map(move |index| (extent.chunk_block() + index, first + u64::from(index)))
    });
    blocks.collect()
}

proptest! {
    #[test]
    fn merging_is_what_a_map_does(writes in prop::collection::vec((0_u32..60, 1_u32..17), 1..40), cut in 0_u32..64) {
        let mut extents: Box<[Extent]> = Box::default();
        let mut expected = BTreeMap::new();
        let mut owned = std::collections::BTreeSet::new();
        for (number, (start, blocks)) in writes.into_iter().enumerate() {
            let new = extent(number as u64 + 1, start, blocks);
            let merged = merge_extents(&extents, &[new]);
            expected.extend(map_of(&[new]));
            prop_assert_eq!(map_of(&merged), expected.clone());
            owned.insert(new.address());
            for freed in freed_runs(&extents, &merged) {
                prop_assert!(owned.remove(&freed.address));
            }
            extents = merged;
        }
        let shown: std::collections::BTreeSet<u64> = extents.iter().map(Extent::address).collect();
        prop_assert_eq!(shown, owned);
        expected.retain(|&block, _| block < cut);
        let left = cut_extents(&extents, cut * BLOCK);
        prop_assert_eq!(map_of(&left), expected);
        prop_assert_eq!(live_blocks(&left), map_of(&left).len() as u64);
    }

    #[test]
    fn pieces_are_what_a_byte_array_is(
        steps in prop::collection::vec((0_u32..30_000, 1_u32..9_000, any::<bool>()), 1..40)
    ) {
        let mut overlay = Overlay::new(0, 0);
        let mut expected: Vec<Option<u8>> = vec![None; 40_000];
        for (number, (start, length, remove)) in steps.into_iter().enumerate() {
            let range = start as usize..(start + length) as usize;
            let before = expected[range.clone()].iter().flatten().count();
            let touched_before: Vec<u32> = overlay.touched_blocks().collect();
            if remove {
                prop_assert_eq!(overlay.carve(start, start + length), before);
                expected[range].fill(None);
            } else {
                let to_reserve = overlay.blocks_to_reserve(start, start + length);
                let new = NewPiece { offset: start, piece: piece(vec![number as u8; length as usize], number as u64 + 1) };
                prop_assert_eq!(overlay.insert(new), before);
                expected[range].fill(Some(number as u8));
                let touched = overlay.touched_blocks().count() as u64;
                prop_assert_eq!(touched, touched_before.len() as u64 + to_reserve);
            }
            let mut found: Vec<Option<u8>> = vec![None; 40_000];
            for (offset, piece) in overlay.pieces() {
                for (at, &byte) in (offset as usize..).zip(piece.bytes.iter()) {
                    prop_assert_eq!(found[at].replace(byte), None, "pieces overlap");
                }
            }
            prop_assert!(found == expected);
            prop_assert_eq!(overlay.bytes(), expected.iter().flatten().count());
        }
    }

    /// Flushing a chunk in memory, with the real plan and composition, gives the bytes that were written.
    #[test]
    fn a_flush_writes_what_was_there(
        rounds in prop::collection::vec(prop::collection::vec((0_u32..120_000, 1_u32..30_000), 1..5), 1..8)
    ) {
        let mut slabs: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut extents: Box<[Extent]> = Box::default();
        let (mut expected, mut number) = (Vec::new(), 0_u64);
        for round in rounds {
            let mut overlay = Overlay::new(0, expected.len() as u32);
            for (start, length) in round {
                number += 1;
                let bytes = vec![number as u8; length as usize];
                let end = (start + length) as usize;
                expected.resize(expected.len().max(end), 0);
                expected[start as usize..end].copy_from_slice(&bytes);
                overlay.insert(NewPiece { offset: start, piece: piece(bytes, number) });
            }
            let pieces: Vec<(u32, Piece)> = overlay.pieces().map(|(at, piece)| (at, piece.clone())).collect();
            let whole = BTreeSet::new();
            let plan = plan_flush(&extents, &pieces, overlay.length, true, &whole);
            prop_assert!(plan.kept.is_empty());
            let damaged: BTreeSet<u64> = plan.reads.iter().map(Extent::address).step_by(2).collect();
            let around = plan_flush(&extents, &pieces, overlay.length, true, &damaged);
            prop_assert!(around.reads.iter().all(|read| !damaged.contains(&read.address())));
            let written: BTreeSet<u32> = around.ranges.iter().cloned().flatten().collect();
            prop_assert!(around.kept.iter().all(|block| !written.contains(block)));
            let done: BTreeSet<u32> = written.iter().chain(&around.kept).copied().collect();
            prop_assert!(overlay.touched_blocks().all(|block| done.contains(&block)));
            let mut old = BTreeMap::new();
            for extent in &plan.reads {
                let blocks = extent.chunk_block()..extent.chunk_block_end();
                let completed = plan.completed.iter().filter(|&block| blocks.contains(block));
                for index in completed.map(|block| block - blocks.start) {
                    let stored = &slabs[&(extent.address() + u64::from(extent.skip() + index))];
                    old.insert(extent.chunk_block() + index, Bytes::from(stored.clone()));
                }
            }
            let mut new = Vec::new();
            for range in &plan.ranges {
                number += 1;
                let extent = extent(number, range.start, range.end - range.start);
                let mut target = vec![0xee; extent.parent_bytes()];
                compose(&mut target, range.start, &old, &pieces);
                for (index, block) in target.chunks(BLOCK_BYTES).enumerate() {
                    slabs.insert(extent.address() + index as u64, block.to_vec());
                }
                new.push(extent);
            }
            extents = merge_extents(&extents, &new);
            let mut found = vec![0; expected.len().next_multiple_of(BLOCK_BYTES)];
            for (block, address) in map_of(&extents) {
                let at = (block * BLOCK) as usize;
                found[at..at + BLOCK_BYTES].copy_from_slice(&slabs[&address]);
            }
            prop_assert!(found[..expected.len()] == expected[..]);
            prop_assert!(found[expected.len()..].iter().all(|&byte| byte == 0), "padding is zeros");
        }
    }
}

#[test]
fn overwriting_at_random_leaves_few_parts_and_little_dead_space() {
    let mut extents: Box<[Extent]> = (0..16)
        .map(|window| extent(window, (window * 16) as u32, 16))
        .collect();
    let mut number = 100;
    for step in 0..5000_u32 {
        let block = step.wrapping_mul(2_654_435_761) >> 24;
        let pieces = [(block * BLOCK, piece(vec![1; BLOCK_BYTES], 1))];
        let plan = plan_flush(&extents, &pieces, 256 * BLOCK, true, &BTreeSet::new());
        let new: Vec<Extent> = plan
            .ranges
            .iter()
            .map(|range| {
                number += 1;
                extent(number, range.start, range.end - range.start)
            })
            .collect();
        extents = merge_extents(&extents, &new);
        assert_eq!(live_blocks(&extents), 256);
        assert!(extents.len() <= 16 * 8, "{} parts", extents.len());
        let held: u64 = freed_runs(&extents, &[])
            .iter()
            .map(|run| u64::from(run.blocks))
            .sum();
        assert!(held <= 256 + 16 * 8, "{held} blocks held for 256");
    }
}

#[test]
fn a_small_rest_of_a_large_write_does_not_keep_it_in_memory() {
    const BYTES: u32 = 1000;
    let mut overlay = Overlay::new(0, 0);
    let mut writes = Vec::new();
    // Each leaves one byte of the one before.
    for version in 1..=u64::from(BYTES) {
        let offset = version as u32 - 1;
        let bytes = Bytes::from(vec![1; (BYTES - offset) as usize]);
        writes.push(bytes.clone());
        let piece = Piece::new(bytes, version, false);
        overlay.insert(NewPiece { offset, piece });
    }
    assert_eq!(overlay.bytes(), BYTES as usize);
    let kept = writes.into_iter().filter(|write| !write.is_unique());
    let kept: usize = kept.map(|write| write.len()).sum();
    assert!(kept <= 4 * BYTES as usize, "{kept} bytes kept for {BYTES}");
}
