//! What the store holds: of one file, and of all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Bound;

use sluice_types::{ChunkId, ChunkIndex, InodeId};

use crate::Store;

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
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        // Each shard's next entry; ordered over shards as they are taken.
        let mut next: BinaryHeap<Reverse<(ChunkId, usize)>> = BinaryHeap::new();
        let mut pages: Vec<std::vec::IntoIter<ChunkEntry>> = Vec::new();
        for shard in self.index.shards() {
            let entries = shard.chunks.range((after, Bound::Unbounded)).take(limit);
            let entries: Vec<ChunkEntry> = entries
                .map(|(&chunk, known)| ChunkEntry {
                    chunk,
                    length: known.visible_length(),
                    version: known.visible_version(),
                    allocated_bytes: known.allocated_bytes(),
                })
                .collect();
            if let Some(first) = entries.first() {
                next.push(Reverse((first.chunk, pages.len())));
            }
            pages.push(entries.into_iter());
        }
        let mut listed = Vec::new();
        while listed.len() < limit
            && let Some(Reverse((_, page))) = next.pop()
        {
            listed.extend(pages[page].next());
            if let Some(following) = pages[page].as_slice().first() {
                next.push(Reverse((following.chunk, page)));
            }
        }
        listed
    }
}
