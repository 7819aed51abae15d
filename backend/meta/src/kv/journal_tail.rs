//! Cuts a torn batch off the end of fjall's journal.
//!
//! fjall drops a last batch that ends early. But a power cut may also leave a batch whose end reached the
//! disk and whose middle did not; fjall sees a wrong checksum there and refuses to open. Such a batch was never
//! acknowledged (its `fdatasync` had not returned), so it may go. It is the last batch of its
//! journal: if another one follows, then what is broken had been synced, and this is damage that must not be hidden.
//!
//! That another one follows is told by a whole batch with a right checksum and a near sequence, and not by a marker
//! alone: clients choose names and link targets, and could put markers into them.
//!
//! Format (fjall 3): a batch is a start marker {tag 1, item count u32, sequence u64}, items {tag 2, value type u8,
//! compression u8, keyspace u64, key length u16, value length u32, length on disk u32, key, value} and an end marker
//! {tag 3, xxh3 of the items u64, `FJL\x03`}, all little-endian.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;
const TAG_CLEAR: u8 = 4;
const START_BYTES: usize = 13;
const ITEM_HEADER_BYTES: usize = 21;
const CLEAR_BYTES: usize = 9;
const END_BYTES: usize = 13;
const TRAILER: &[u8] = b"FJL\x03";

/// Batches count on by one; versions of tables, in between, by some more.
const SEQUENCE_STEP_MAX: u64 = 1 << 20;

/// Cuts the newest journal of the store in `directory` before its first broken batch, if that is its last.
///
/// # Errors
/// `InvalidData` if a batch follows the broken one; whatever the file system reports.
pub(super) fn cut_torn_batch(directory: &Path) -> io::Result<()> {
    let Some(path) = newest_journal(directory)? else {
        return Ok(());
    };
    let journal = std::fs::read(&path)?;
    let Some(cut_at) = torn_batch_start(&journal)? else {
        return Ok(());
    };
    tracing::warn!(
        journal = %path.display(),
        cut_at,
        "cutting off a batch that a power cut tore; nothing in it was acknowledged"
    );
    let file = OpenOptions::new().write(true).open(&path)?;
    file.set_len(cut_at as u64)?;
    file.sync_all()
}

/// Refuses a store with a journal that is damaged before its last batch: fjall would drop all that follows
/// some kinds of damage, acknowledged or not. Changes nothing.
///
/// # Errors
/// `InvalidData` if one is damaged; whatever the file system reports.
pub(super) fn check(directory: &Path) -> io::Result<()> {
    for (_, path) in journals(directory)? {
        torn_batch_start(&std::fs::read(path)?)?;
    }
    Ok(())
}

fn newest_journal(directory: &Path) -> io::Result<Option<PathBuf>> {
    let newest = journals(directory)?.into_iter().max();
    Ok(newest.map(|(_, path)| path))
}

/// All journals with their numbers.
fn journals(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let is_journal = path.extension().is_some_and(|extension| extension == "jnl");
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let (true, Some(number)) = (is_journal, number) {
            journals.push((number, path));
        }
    }
    Ok(journals)
}

/// Where the broken last batch of a journal starts; `None` if no batch is broken.
///
/// # Errors
/// `InvalidData` if a batch follows the broken one.
pub fn torn_batch_start(journal: &[u8]) -> io::Result<Option<usize>> {
    let mut at = 0;
    let mut last = None;
    while let Some(batch) = whole_batch(&journal[at..]) {
        at += batch.bytes;
        last = Some(batch.sequence);
    }
    let rest = &journal[at..];
    if is_zero(rest) {
        return Ok(None);
    }
    if another_follows(rest, last) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the journal is damaged at byte {at}, before its last batch"),
        ));
    }
    Ok(Some(at))
}

/// Whether a whole batch is somewhere behind the broken one that `rest` starts with. `last` is the sequence of the
/// last whole one before.
fn another_follows(rest: &[u8], last: Option<u64>) -> bool {
    let is_next = |sequence: u64| {
        last.is_none_or(|last| sequence > last && sequence - last <= SEQUENCE_STEP_MAX)
    };
    let starts = rest.iter().enumerate().skip(1);
    let mut starts = starts.filter(|(_, byte)| **byte == TAG_START);
    starts.any(|(at, _)| whole_batch(&rest[at..]).is_some_and(|batch| is_next(batch.sequence)))
}

fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    let mut pages = bytes.chunks(ZEROS.len());
    pages.all(|page| page == &ZEROS[..page.len()])
}

/// A batch that is there and whose checksum is right.
struct WholeBatch {
    bytes: usize,
    sequence: u64,
}

/// The batch that `bytes` starts with, if it is whole.
fn whole_batch(bytes: &[u8]) -> Option<WholeBatch> {
    let start = bytes.get(..START_BYTES)?;
    if start[0] != TAG_START {
        return None;
    }
    let count = u32::from_le_bytes(start[1..5].try_into().ok()?);
    let sequence = u64::from_le_bytes(start[5..].try_into().ok()?);
    let mut at = START_BYTES;
    let mut items = 0;
    while *bytes.get(at)? != TAG_END {
        at += item_length(&bytes[at..])?;
        items += 1;
    }
    let end = bytes.get(at..at + END_BYTES)?;
    let checksum = u64::from_le_bytes(end[1..9].try_into().ok()?);
    let whole =
        items == count && &end[9..] == TRAILER && checksum == xxh3_64(&bytes[START_BYTES..at]);
    whole.then_some(WholeBatch {
        bytes: at + END_BYTES,
        sequence,
    })
}

fn item_length(bytes: &[u8]) -> Option<usize> {
    match bytes[0] {
        TAG_ITEM => {
            let header = bytes.get(..ITEM_HEADER_BYTES)?;
            let key = u16::from_le_bytes(header[11..13].try_into().ok()?);
            let value = u32::from_le_bytes(header[17..21].try_into().ok()?);
            Some(ITEM_HEADER_BYTES + usize::from(key) + value as usize)
        }
        TAG_CLEAR => Some(CLEAR_BYTES),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
