//! Shards of the index, and the locks of files.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use sluice_types::{ChunkId, ChunkIndex, InodeId};
use tokio::sync::OwnedMutexGuard;

use super::Chunk;

/// Shards of the index: more than cores, so that locks rarely meet.
const SHARDS: usize = 64;

/// Removed inodes remembered per shard, so that late writes to them are refused.
const REMOVED_MAX: usize = 1024;

#[derive(Debug)]
pub(crate) struct Index {
    shards: Box<[Mutex<Shard>]>,
}

/// Some of the files.
#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(crate) chunks: BTreeMap<ChunkId, Chunk>,
    files: HashMap<InodeId, File>,
    removed: Removed,
}

/// What is kept per file with chunks.
#[derive(Debug, Default)]
struct File {
    live_blocks: u64,
    active: Option<Box<Active>>,
}

/// What is kept per file with data in memory or with an operation that holds its lock.
#[derive(Debug, Default)]
struct Active {
    lock: Arc<tokio::sync::Mutex<()>>,
    overlaid: BTreeSet<ChunkIndex>,
    queued: bool,
}

impl Active {
    /// Whether nothing of the file is in memory and nobody has or wants its lock. The lock is cloned under the
    /// shard's lock only, so this stays so while that is held.
    fn is_idle(&self) -> bool {
        self.overlaid.is_empty() && Arc::strong_count(&self.lock) == 1
    }
}

/// The right to flush, cut or remove a file.
#[derive(Debug)]
pub(crate) struct FileLock {
    pub(crate) inode: InodeId,
    _guard: OwnedMutexGuard<()>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The shard of a file.
    pub(crate) fn shard(&self, inode: InodeId) -> MutexGuard<'_, Shard> {
        // Inode numbers are dense; a multiplication spreads those that share low bits.
        let spread = inode.raw().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.shards[spread as usize % SHARDS].lock()
    }

    /// The number of shards.
    pub(crate) const fn shard_count() -> usize {
        SHARDS
    }

    /// A shard by its number.
    pub(crate) fn shard_at(&self, number: usize) -> MutexGuard<'_, Shard> {
        self.shards[number].lock()
    }

    /// All shards, one after the other.
    pub(crate) fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.shards.iter().map(Mutex::lock)
    }

    /// All shards at once: nothing changes meanwhile.
    pub(crate) fn freeze(&self) -> Vec<MutexGuard<'_, Shard>> {
        self.shards().collect()
    }

    /// Waits for the file's lock.
    pub(crate) async fn lock_file(&self, inode: InodeId) -> FileLock {
        let lock = {
            let mut shard = self.shard(inode);
            Arc::clone(&shard.active(inode).lock)
        };
        FileLock {
            inode,
            _guard: lock.lock_owned().await,
        }
    }

    /// Gives the lock back, and forgets what is no longer needed of the file.
    pub(crate) fn unlock_file(&self, lock: FileLock) {
        let inode = lock.inode;
        drop(lock);
        self.shard(inode).tidy(inode);
    }
}

impl Shard {
    fn active(&mut self, inode: InodeId) -> &mut Active {
        let file = self.files.entry(inode).or_default();
        file.active.get_or_insert_default()
    }

    /// Drops the file's active part if nobody uses it, and its entry if it is empty.
    fn tidy(&mut self, inode: InodeId) {
        let Some(file) = self.files.get_mut(&inode) else {
            return;
        };
        // While it is queued it stays, so that it is queued once.
        if file
            .active
            .as_ref()
            .is_some_and(|active| active.is_idle() && !active.queued)
        {
            file.active = None;
        }
        if file.active.is_none() && file.live_blocks == 0 {
            self.files.remove(&inode);
        }
    }

    /// The file's chunks from `from` on.
    pub(crate) fn chunks_of(
        &self,
        inode: InodeId,
        from: ChunkIndex,
    ) -> impl DoubleEndedIterator<Item = (ChunkId, &Chunk)> {
        let first = ChunkId { inode, index: from };
        let last = ChunkId {
            inode,
            index: ChunkIndex::new(u32::MAX),
        };
        self.chunks
            .range(first..=last)
            .map(|(&id, chunk)| (id, chunk))
    }

    /// The file's last chunk and its length.
    pub(crate) fn end(&self, inode: InodeId) -> Option<(ChunkIndex, u32)> {
        let (id, chunk) = self.chunks_of(inode, ChunkIndex::new(0)).next_back()?;
        Some((id.index, chunk.visible_length()))
    }

    /// Bytes the file takes, in slabs and in memory.
    pub(crate) fn allocated_bytes(&self, inode: InodeId) -> u64 {
        let Some(file) = self.files.get(&inode) else {
            return 0;
        };
        let in_slabs = crate::format::bytes_of(file.live_blocks);
        let overlaid = file.active.iter().flat_map(|active| &active.overlaid);
        let in_memory: u64 = overlaid
            .filter_map(|&index| self.chunks.get(&ChunkId { inode, index }))
            .map(|chunk| {
                chunk.allocated_bytes()
                    - crate::format::bytes_of(super::live_blocks(&chunk.extents))
            })
            .sum();
        in_slabs + in_memory
    }

    /// Adds to the file's count of blocks in slabs.
    pub(crate) fn charge(&mut self, inode: InodeId, blocks: i64) {
        if blocks != 0 {
            let file = self.files.entry(inode).or_default();
            file.live_blocks = file.live_blocks.saturating_add_signed(blocks);
        }
    }

    /// Notes that a chunk has an overlay. True if the file must be queued for the background flusher.
    pub(crate) fn note_overlaid(&mut self, chunk: ChunkId) -> bool {
        let active = self.active(chunk.inode);
        active.overlaid.insert(chunk.index);
        !std::mem::replace(&mut active.queued, true)
    }

    /// Notes that a chunk has no overlay any more.
    pub(crate) fn note_settled(&mut self, chunk: ChunkId) {
        if let Some(file) = self.files.get_mut(&chunk.inode)
            && let Some(active) = &mut file.active
        {
            active.overlaid.remove(&chunk.index);
        }
    }

    /// The file has left the background flusher's queue.
    pub(crate) fn note_dequeued(&mut self, inode: InodeId) {
        if let Some(file) = self.files.get_mut(&inode)
            && let Some(active) = &mut file.active
        {
            active.queued = false;
        }
    }

    /// Chunks of the file that have an overlay.
    pub(crate) fn overlaid(&self, inode: InodeId) -> Vec<ChunkIndex> {
        let active = self.files.get(&inode).and_then(|file| file.active.as_ref());
        active.map_or_else(Vec::new, |active| active.overlaid.iter().copied().collect())
    }

    /// Bytes of the log that flushes needed for what they left.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let overlaid = self.overlaid_files().flat_map(|inode| {
            let indexes = self.overlaid(inode).into_iter();
            indexes.map(move |index| ChunkId { inode, index })
        });
        overlaid
            .filter_map(|chunk| self.chunks.get(&chunk)?.overlay.as_ref())
            .map(|overlay| overlay.kept_bytes)
            .sum()
    }

    /// Whether nothing of the file is in memory and no flush, cut or removal of it is under way.
    pub(crate) fn is_settled(&self, inode: InodeId) -> bool {
        let active = self.files.get(&inode).and_then(|file| file.active.as_ref());
        active.is_none_or(|active| active.is_idle())
    }

    /// Files with chunks that have an overlay.
    pub(crate) fn overlaid_files(&self) -> impl Iterator<Item = InodeId> + '_ {
        let overlaid = |file: &File| {
            file.active
                .as_ref()
                .is_some_and(|active| !active.overlaid.is_empty())
        };
        self.files
            .iter()
            .filter(move |(_, file)| overlaid(file))
            .map(|(&inode, _)| inode)
    }

    /// Whether the file was removed, as far as is remembered.
    pub(crate) fn is_removed(&self, inode: InodeId) -> bool {
        self.removed.set.contains(&inode)
    }

    pub(crate) fn note_removed(&mut self, inode: InodeId) {
        self.removed.insert(inode);
    }
}

/// The last inodes that were removed.
#[derive(Debug, Default)]
struct Removed {
    set: HashSet<InodeId>,
    order: VecDeque<InodeId>,
}

impl Removed {
    fn insert(&mut self, inode: InodeId) {
        if self.set.insert(inode) {
            self.order.push_back(inode);
            if self.order.len() > REMOVED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.set.remove(&oldest);
            }
        }
    }
}
