//! What the store holds: of one file, and of all.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Bound;

use sluice_types::{ChunkId, ChunkIndex, InodeId};

use crate::Store;
use crate::index::Index;

/// What the store holds of a file, as readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// The last chunk and its length; none if there is no chunk.
    pub end: Option<(ChunkIndex, u32)>,
    /// Bytes that the file takes.
    pub allocated_bytes: u64,
}

/// A chunk in a listing, as readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkEntry {
    /// The chunk.
    pub chunk: ChunkId,
    /// End of its last byte.
    pub length: u32,
    /// Grows with every change of the chunk on this target.
    pub version: u64,
    /// Bytes that it takes.
    pub allocated_bytes: u64,
}

impl Store {
    /// What the store holds of a file.
    pub fn file_status(&self, inode: InodeId) -> FileStatus {
        let shard = self.index.shard(inode);
        FileStatus {
            end: shard.end(inode),
            allocated_bytes: shard.allocated_bytes(inode),
        }
    }

    /// At most `limit` chunks after `after`, in order of (inode, index). A chunk that exists throughout
    /// a listing in pages is in exactly one of them.
    pub fn list(&self, after: Option<ChunkId>, limit: usize) -> Vec<ChunkEntry> {
        // A part of the page from each shard, more where that is used up.
        let part = (limit / Index::shard_count() * 2 + 16).min(limit);
        let mut parts: Vec<VecDeque<ChunkEntry>> = (0..Index::shard_count())
            .map(|shard| self.list_shard(shard, after, part))
            .collect();
        // Each shard's next chunk.
        let mut next: BinaryHeap<Reverse<(ChunkId, usize)>> = parts
            .iter()
            .enumerate()
            .filter_map(|(shard, entries)| Some(Reverse((entries.front()?.chunk, shard))))
            .collect();
        let mut listed = Vec::new();
        while listed.len() < limit
            && let Some(Reverse((chunk, shard))) = next.pop()
        {
            listed.extend(parts[shard].pop_front());
            if parts[shard].is_empty() {
                parts[shard] = self.list_shard(shard, Some(chunk), part);
            }
            if let Some(entry) = parts[shard].front() {
                next.push(Reverse((entry.chunk, shard)));
            }
        }
        listed
    }

    fn list_shard(
        &self,
        shard: usize,
        after: Option<ChunkId>,
        limit: usize,
    ) -> VecDeque<ChunkEntry> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let shard = self.index.shard_at(shard);
        let chunks = shard.chunks.range((after, Bound::Unbounded)).take(limit);
        let entries = chunks.map(|(&chunk, known)| ChunkEntry {
            chunk,
            length: known.visible_length(),
            version: known.visible_version(),
            allocated_bytes: known.allocated_bytes(),
        });
        entries.collect()
    }
}
