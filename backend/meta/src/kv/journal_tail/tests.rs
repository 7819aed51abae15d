//! Torn and damaged journals of a real store.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use sluice_types::SystemClock;

use super::*;
use crate::kv::{EmbeddedEngine, EmbeddedOptions, Engine, Isolation, Key, KvError};

const BATCHES: u8 = 4;

/// A store with some batches, each of its own flush; its newest journal.
async fn store() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path()).unwrap();
    for number in 0..BATCHES {
        let mut transaction = engine.begin(Isolation::Serializable);
        for part in 0..3 {
            let value = vec![b'a' + number; 5000];
            transaction.put(Key::new(&[number, part]), Bytes::from(value));
        }
        let point = transaction.commit().await.unwrap();
        engine.durable(point).await.unwrap();
    }
    drop(engine);
    let journal = newest_journal(directory.path()).unwrap().unwrap();
    (directory, journal)
}

fn open(directory: &Path) -> Result<EmbeddedEngine, KvError> {
    let clock = Arc::new(SystemClock::new());
    EmbeddedEngine::open(directory, EmbeddedOptions::default(), clock)
}

/// Which batches are whole in the store; none may be there in part.
async fn batches(engine: &EmbeddedEngine) -> Vec<u8> {
    let mut whole = Vec::new();
    for number in 0..BATCHES {
        let mut parts = 0;
        for part in 0..3 {
            let mut transaction = engine.begin(Isolation::Latest);
            let value = transaction.get(&Key::new(&[number, part])).await.unwrap();
            parts += usize::from(value.is_some());
        }
        assert!(parts == 0 || parts == 3, "batch {number} is there in part");
        if parts == 3 {
            whole.push(number);
        }
    }
    whole
}

/// Where each batch starts, and where the last one ends.
fn borders(journal: &[u8]) -> Vec<usize> {
    let mut borders = vec![0];
    while let Some(batch) = whole_batch(&journal[borders[borders.len() - 1]..]) {
        borders.push(borders[borders.len() - 1] + batch.bytes);
    }
    borders
}

#[tokio::test]
async fn a_tail_that_ends_early_is_dropped() {
    let (directory, journal) = store().await;
    let bytes = std::fs::read(&journal).unwrap();
    let borders = borders(&bytes);
    let (last, end) = (borders[borders.len() - 2], borders[borders.len() - 1]);
    for cut in [end - 1, end - 20, last + 6000, last + 1] {
        let mut torn = bytes.clone();
        torn[cut..].fill(0);
        std::fs::write(&journal, &torn).unwrap();
        let engine = open(directory.path()).unwrap();
        assert_eq!(batches(&engine).await, [0, 1, 2], "cut at {cut}");
    }
}

#[tokio::test]
async fn a_last_batch_with_a_hole_is_dropped() {
    let (directory, journal) = store().await;
    let bytes = std::fs::read(&journal).unwrap();
    let borders = borders(&bytes);
    let (last, end) = (borders[borders.len() - 2], borders[borders.len() - 1]);
    for hole in [
        last..last + 4096,
        last + 5000..last + 9096,
        end - 5000..end - 904,
    ] {
        let mut torn = bytes.clone();
        torn[hole.clone()].fill(0);
        std::fs::write(&journal, &torn).unwrap();
        let engine = open(directory.path()).unwrap();
        assert_eq!(batches(&engine).await, [0, 1, 2], "hole {hole:?}");
        // And what comes after the repair is kept.
        let mut transaction = engine.begin(Isolation::Serializable);
        transaction.put(Key::new(b"later"), Bytes::from_static(b"1"));
        let point = transaction.commit().await.unwrap();
        engine.durable(point).await.unwrap();
        drop(engine);
        let engine = open(directory.path()).unwrap();
        let mut transaction = engine.begin(Isolation::Latest);
        let later = transaction.get(&Key::new(b"later")).await.unwrap();
        assert!(later.is_some(), "hole {hole:?}");
    }
}

#[tokio::test]
async fn damage_before_the_last_batch_is_not_hidden() {
    let (directory, journal) = store().await;
    let bytes = std::fs::read(&journal).unwrap();
    let second = borders(&bytes)[BATCHES as usize - 2];
    // In a value, and in a marker, where fjall by itself would cut off all that follows.
    for at in [second + 100, second, second + START_BYTES] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x81;
        std::fs::write(&journal, &damaged).unwrap();
        let refused = open(directory.path()).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("damaged at byte"), "{refused}");
        assert_eq!(std::fs::read(&journal).unwrap(), damaged, "nothing is cut");
    }
}

/// A client may name its files as it likes.
#[tokio::test]
async fn markers_in_a_torn_batch_do_not_make_it_damage() {
    let (directory, journal) = store().await;
    let engine = open(directory.path()).unwrap();
    let mut transaction = engine.begin(Isolation::Serializable);
    let names = [b"FJL\x03".as_slice(); 2000].concat();
    transaction.put(Key::new(b"names"), Bytes::from(names));
    let point = transaction.commit().await.unwrap();
    engine.durable(point).await.unwrap();
    drop(engine);
    let mut torn = std::fs::read(&journal).unwrap();
    let borders = borders(&torn);
    let last = borders[borders.len() - 2];
    torn[last + 4096..last + 6000].fill(0);
    std::fs::write(&journal, &torn).unwrap();
    let engine = open(directory.path()).unwrap();
    assert_eq!(batches(&engine).await, [0, 1, 2, 3]);
    let mut transaction = engine.begin(Isolation::Latest);
    assert_eq!(transaction.get(&Key::new(b"names")).await, Ok(None));
}

#[tokio::test]
async fn damage_of_an_end_marker_is_not_taken_for_a_torn_batch() {
    let (directory, journal) = store().await;
    let mut damaged = std::fs::read(&journal).unwrap();
    let borders = borders(&damaged);
    damaged[borders[BATCHES as usize - 1] - 2] ^= 0x81;
    std::fs::write(&journal, &damaged).unwrap();
    let refused = open(directory.path()).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("damaged at byte"), "{refused}");
}

#[tokio::test]
async fn damage_of_an_older_journal_is_not_hidden() {
    let (directory, journal) = store().await;
    let mut damaged = std::fs::read(&journal).unwrap();
    let second = borders(&damaged)[BATCHES as usize - 2];
    let newer = journal.with_file_name("9.jnl");
    std::fs::write(newer, []).unwrap();
    damaged[second] ^= 0x81;
    std::fs::write(&journal, &damaged).unwrap();
    let refused = open(directory.path()).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("damaged at byte"), "{refused}");
}

#[test]
fn an_untouched_journal_has_no_torn_batch() {
    assert_eq!(torn_batch_start(&[]).unwrap(), None);
    assert_eq!(torn_batch_start(&[0; 100]).unwrap(), None);
}
