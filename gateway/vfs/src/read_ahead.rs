//! Fetching ahead of sequential readers, in parallel over storage, into the block cache.
//!
//! A file has up to four streams: places where someone reads on. A read that goes on where a stream is (or near it:
//! clients send reads in parallel, and they arrive in any order) advances it; any other starts a new one in place of the
//! one not used for longest. From a stream's third read on, blocks ahead of it are fetched: a window that starts small
//! and doubles up to its maximum. A random reader advances no stream and causes nothing.
//!
//! Bounds: a fixed table of streams by hash of the inode (two files that meet there only lose their history), and a number of
//! fetches in flight over all files; what finds no room is not fetched ahead.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use sluice_cache::{BlockIndex, FileVersion};
use sluice_types::{ByteRange, Inode, InodeId};
use tokio::sync::Semaphore;

use crate::VfsConfig;
use crate::core::Core;

const SLOTS: usize = 4096;
const STREAMS: usize = 4;
/// The first window, in bytes.
const WINDOW_BYTES_MIN: u64 = 512 * 1024;
/// How far from where a stream is a read still belongs to it, in bytes: a client's own read-ahead in flight.
const NEAR_BYTES: u64 = 2 * 1024 * 1024;
/// What is fetched at a time, in bytes.
const FETCH_BYTES: u64 = 1024 * 1024;
/// From which read of a stream on it is fetched ahead.
const READS_MIN: u32 = 3;

/// Who reads where.
pub(crate) struct ReadAhead {
    slots: Box<[Mutex<Slot>]>,
    hasher: RandomState,
    window_bytes_max: u64,
    in_flight: Arc<Semaphore>,
}

#[derive(Default)]
struct Slot {
    inode: Option<InodeId>,
    streams: [Stream; STREAMS],
    reads: u64,
}

#[derive(Clone, Copy, Default)]
struct Stream {
    /// Where it is: the end of the furthest read.
    position: u64,
    /// Up to where blocks were asked for.
    asked: u64,
    window: u64,
    reads: u32,
    /// The slot's count of reads at its last one.
    used: u64,
}

impl ReadAhead {
    pub(crate) fn new(config: &VfsConfig) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            window_bytes_max: config.read_ahead_bytes_max,
            in_flight: Arc::new(Semaphore::new(config.read_ahead_in_flight_max)),
        }
    }

    /// Notes a read of a file of `size` bytes; gives the bytes to fetch ahead now, if any.
    fn note(&self, inode: InodeId, range: ByteRange, size: u64) -> Option<Range<u64>> {
        if self.window_bytes_max == 0 {
            return None;
        }
        let slot = self.hasher.hash_one(inode) as usize % SLOTS;
        let mut slot = self.slots[slot].lock();
        if slot.inode != Some(inode) {
            *slot = Slot {
                inode: Some(inode),
                ..Slot::default()
            };
        }
        slot.reads += 1;
        let used = slot.reads;
        let stream = slot.stream_of(range);
        stream.used = used;
        stream.advance(range, size, self.window_bytes_max)
    }
}

impl Slot {
    fn stream_of(&mut self, range: ByteRange) -> &mut Stream {
        let near = |stream: &Stream| {
            stream.reads > 0 && stream.position.abs_diff(range.start()) <= NEAR_BYTES
        };
        let found = self.streams.iter().position(near);
        let index = found.unwrap_or_else(|| {
            let oldest = (0..STREAMS).min_by_key(|&index| self.streams[index].used);
            let oldest = oldest.unwrap_or(0);
            self.streams[oldest] = Stream {
                position: range.start(),
                ..Stream::default()
            };
            oldest
        });
        &mut self.streams[index]
    }
}

impl Stream {
    fn advance(&mut self, range: ByteRange, size: u64, window_max: u64) -> Option<Range<u64>> {
        if range.end() <= self.position {
            return None;
        }
        self.position = range.end();
        self.reads = self.reads.saturating_add(1);
        if self.reads < READS_MIN {
            return None;
        }
        let from = self.asked.max(self.position);
        // Half a window is still ahead: ask again later, for more at once.
        if self.window > 0 && from - self.position > self.window / 2 {
            return None;
        }
        self.window = (self.window * 2).clamp(WINDOW_BYTES_MIN.min(window_max), window_max);
        let to = self.position.saturating_add(self.window).min(size);
        self.asked = self.asked.max(to);
        (from < to).then_some(from..to)
    }
}

impl Core {
    /// Notes a read and fetches ahead of it if it is part of a stream.
    pub(crate) fn advance_read_ahead(self: &Arc<Self>, node: &Inode, range: ByteRange) {
        let size = node.attributes.size_bytes;
        let Some(ahead) = self.read_ahead.note(node.id, range, size) else {
            return;
        };
        let mut at = ahead.start;
        while at < ahead.end {
            let end = (at / FETCH_BYTES + 1) * FETCH_BYTES;
            let Ok(piece) = ByteRange::new(at, end.min(ahead.end) - at) else {
                return;
            };
            if !self.fetch_ahead(node, piece) {
                return;
            }
            at = piece.end();
        }
    }

    /// Starts to fetch a range into the cache; false if too many are in flight.
    fn fetch_ahead(self: &Arc<Self>, node: &Inode, range: ByteRange) -> bool {
        let file = FileVersion {
            inode: node.id,
            version: node.data_version,
        };
        let last = BlockIndex::of(range.end() - 1).raw();
        let blocks = BlockIndex::of(range.start())..BlockIndex::new(last + 1);
        if self.blocks.contains(file, blocks) {
            return true;
        }
        let in_flight = Arc::clone(&self.read_ahead.in_flight);
        let Ok(permit) = in_flight.try_acquire_owned() else {
            return false;
        };
        self.metrics.read_ahead_bytes.increment(range.length());
        let (core, node) = (Arc::clone(self), node.clone());
        tokio::spawn(async move {
            // The reader will ask itself if this fails, and say why.
            let _ = core.read_cached(&node, range).await;
            drop(permit);
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn read_ahead() -> ReadAhead {
        ReadAhead::new(&VfsConfig::default())
    }

    fn range(start: u64, length: u64) -> ByteRange {
        ByteRange::new(start, length).unwrap()
    }

    #[test]
    fn a_sequential_reader_is_kept_ahead_of_without_gaps() {
        let ahead = read_ahead();
        let size = 200 * MIB;
        let (mut fetched_to, mut widest) = (0, 0);
        for read in 0..200 {
            let read = range(read * MIB, MIB);
            if let Some(fetch) = ahead.note(InodeId::ROOT, read, size) {
                assert_eq!(fetch.start, read.end().max(fetched_to));
                widest = widest.max(fetch.end - read.end());
                fetched_to = fetch.end;
            }
        }
        assert_eq!(fetched_to, size, "never beyond the end");
        assert_eq!(widest, 8 * MIB);
    }

    #[test]
    fn a_random_reader_causes_nothing() {
        let ahead = read_ahead();
        for read in 0..1000_u64 {
            let start = (read * 7919 % 1000) * 10 * MIB;
            let fetch = ahead.note(InodeId::ROOT, range(start, 4096), 10_000 * MIB);
            assert_eq!(fetch, None, "read {read}");
        }
    }

    #[test]
    fn parallel_reads_of_one_stream_may_come_in_any_order() {
        let ahead = read_ahead();
        let mut fetched = 0;
        for base in 0..20 {
            for position in [1, 0, 3, 2] {
                let read = range((base * 4 + position) * MIB / 4, MIB / 4);
                let fetch = ahead.note(InodeId::ROOT, read, 100 * MIB);
                fetched += fetch.map_or(0, |fetch| fetch.end - fetch.start);
            }
        }
        assert!(fetched >= 20 * MIB, "{fetched}");
    }

    #[test]
    fn two_readers_of_one_file_do_not_disturb_each_other() {
        let ahead = read_ahead();
        let mut fetched = [0; 2];
        for read in 0..20 {
            for (reader, base) in [0, 1000 * MIB].into_iter().enumerate() {
                let fetch = ahead.note(InodeId::ROOT, range(base + read * MIB, MIB), 2000 * MIB);
                fetched[reader] += fetch.map_or(0, |fetch| fetch.end - fetch.start);
            }
        }
        assert!(fetched.iter().all(|&bytes| bytes >= 20 * MIB));
    }
}
