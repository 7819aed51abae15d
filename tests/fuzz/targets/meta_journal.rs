//! The end of a metadata store's journal, where a power cut tears a batch: what is cut off begins behind every whole
//! batch, and what is left is whole.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_meta::kv::torn_batch_start;
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|bytes: &[u8]| {
    probe(bytes, 0);
    // Few inputs would have a right checksum: whole batches, and anything behind them.
    let (contents, rest) = bytes.split_at(bytes.len() / 2);
    let mut journal = Vec::new();
    for (number, contents) in contents.chunks(24).enumerate() {
        put_batch(&mut journal, number as u64 + 1, contents);
    }
    assert!(matches!(torn_batch_start(&journal), Ok(None)));
    let whole_bytes = journal.len();
    journal.extend_from_slice(rest);
    probe(&journal, whole_bytes);
});

fn probe(journal: &[u8], whole_bytes: usize) {
    if let Ok(Some(cut_at)) = torn_batch_start(journal) {
        assert!((whole_bytes..journal.len()).contains(&cut_at));
        assert!(matches!(torn_batch_start(&journal[..cut_at]), Ok(None)));
    }
}

/// A batch of one item for each eight bytes of `contents`, as fjall writes it.
fn put_batch(journal: &mut Vec<u8>, sequence: u64, contents: &[u8]) {
    let items = contents.chunks(8);
    journal.push(1);
    journal.extend((items.len() as u32).to_le_bytes());
    journal.extend(sequence.to_le_bytes());
    let begin = journal.len();
    for item in items {
        let (key, value) = item.split_at(item.len() / 2);
        journal.extend([2, 0, 0]);
        journal.extend(7u64.to_le_bytes()); // The keyspace.
        journal.extend((key.len() as u16).to_le_bytes());
        journal.extend([value.len() as u32; 2].map(u32::to_le_bytes).as_flattened());
        journal.extend(key);
        journal.extend(value);
    }
    let checksum = xxh3_64(&journal[begin..]);
    journal.push(3);
    journal.extend(checksum.to_le_bytes());
    journal.extend(b"FJL\x03");
}
