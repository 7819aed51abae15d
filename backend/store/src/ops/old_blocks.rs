//! Stored blocks that a flush completes with its new bytes.
//!
//! They are copied from what was read, so that no buffer is held while others are waited for, and stay on the heap until their
//! chunk is written. Only blocks that new bytes cover in part are copied, and a chunk's flush gets room for all of its own
//! before it reads the first: so who has room waits for the disk alone. However many files and chunks are flushed at
//! once, these blocks take [`OLD_BYTES_MAX`] for each target, which is what the largest chunk may need.

use std::collections::BTreeMap;

use bytes::Bytes;
use sluice_types::{ChunkId, ChunkSize};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::format::BLOCK_BYTES;
use crate::index::FlushPlan;
use crate::{Store, StoreError};

/// Bytes of old blocks in memory at once.
const OLD_BYTES_MAX: usize = 64 << 20;

const _: () = assert!(
    OLD_BYTES_MAX >= ChunkSize::MAX_BYTES as usize,
    "a chunk of which every block is completed must not wait for ever"
);

/// Room for old blocks; given in the order in which it is asked for.
#[derive(Debug)]
pub(crate) struct OldBlockRoom {
    /// A permit for each block.
    blocks: Semaphore,
}

impl OldBlockRoom {
    pub(crate) fn new() -> Self {
        Self {
            blocks: Semaphore::new(OLD_BYTES_MAX / BLOCK_BYTES),
        }
    }

    async fn take(&self, blocks: usize) -> SemaphorePermit<'_> {
        match self.blocks.acquire_many(blocks as u32).await {
            Ok(room) => room,
            Err(_) => unreachable!("the semaphore is never closed"),
        }
    }
}

/// What was read to complete blocks.
#[derive(Debug)]
pub(super) struct OldBlocks<'a> {
    /// By block of the chunk.
    pub(super) blocks: BTreeMap<u32, Bytes>,
    /// Addresses of damaged parents.
    pub(super) damaged: Vec<u64>,
    _room: SemaphorePermit<'a>,
}

impl Store {
    /// Stored blocks that the plan's writes must be completed with; waits while there is no room for them.
    pub(super) async fn read_old_blocks(
        &self,
        chunk: ChunkId,
        plan: &FlushPlan,
    ) -> Result<OldBlocks<'_>, StoreError> {
        let mut old = OldBlocks {
            blocks: BTreeMap::new(),
            damaged: Vec::new(),
            _room: self.old_block_room.take(plan.completed.len()).await,
        };
        for extents in plan.reads.chunks(16) {
            let read = self
                .slabs
                .read(extents, &self.device.pools().writes)
                .await?;
            self.count_reads(chunk, &read);
            for (extent, parent) in extents.iter().zip(read) {
                let parent = parent.map_err(|damaged| damaged.into_error(chunk));
                let Ok(parent) = self.counted(parent) else {
                    old.damaged.push(extent.address());
                    continue;
                };
                let first = extent.chunk_block();
                let from = plan.completed.partition_point(|&block| block < first);
                let completed = plan.completed[from..].iter().copied();
                for block in completed.take_while(|&block| block < extent.chunk_block_end()) {
                    let at = (extent.skip() + block - first) as usize * BLOCK_BYTES;
                    let bytes = Bytes::copy_from_slice(&parent[at..at + BLOCK_BYTES]);
                    old.blocks.insert(block, bytes);
                }
            }
        }
        Ok(old)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sluice_types::{ChunkIndex, InodeId, Payload, Stability, SystemClock, SystemRng};
    use tokio::time::timeout;

    use super::*;
    use crate::StoreConfig;
    use crate::simulated::SimulatedDisk;

    const BLOCKS_MAX: usize = OLD_BYTES_MAX / BLOCK_BYTES;

    async fn write(store: &Arc<Store>, inode: InodeId, offset: u32, bytes: usize) {
        let index = ChunkIndex::new(0);
        let payload = Payload::from(vec![offset as u8 | 1; bytes]);
        let written = store.write(
            ChunkId { inode, index },
            offset,
            payload,
            Stability::Unstable,
        );
        written.await.unwrap();
    }

    /// A store with two files of one large extent each.
    async fn store() -> (Arc<Store>, [InodeId; 2]) {
        let config = StoreConfig {
            slab_bytes: 1 << 20,
            log_segment_bytes: 256 << 10,
            reserve_bytes: 0,
            ..StoreConfig::default()
        };
        let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
        let device = SimulatedDisk::new(64 << 20).device();
        let store = Store::open(device, config, clock, rng).await.unwrap();
        let files = [1, 2].map(|number| InodeId::new(number).unwrap());
        for file in files {
            write(&store, file, 0, 64 << 10).await;
        }
        store.flush_all().await.unwrap();
        (store, files)
    }

    async fn flushes_soon(store: &Arc<Store>, file: InodeId) -> bool {
        let flushed = timeout(Duration::from_secs(2), store.flush_file(file)).await;
        flushed.map(Result::unwrap).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_waits_for_room_for_the_blocks_it_completes_and_for_no_others() {
        let (store, [first, second]) = store().await;
        let taken = store.old_block_room.take(BLOCKS_MAX - 2).await;
        // The ends of two blocks, and one as a whole: two old blocks of the extent's sixteen.
        write(&store, first, 4000, 4096 + 200).await;
        assert!(flushes_soon(&store, first).await);
        write(&store, first, 20_000, 10_000).await;
        write(&store, first, 40_000, 10).await;
        assert!(!flushes_soon(&store, first).await, "that takes three");
        write(&store, second, 8192, 4096).await;
        assert!(flushes_soon(&store, second).await, "that takes none");
        drop(taken);
        assert!(flushes_soon(&store, first).await);
        assert_eq!(store.old_block_room.blocks.available_permits(), BLOCKS_MAX);
        assert!(store.check().is_clean());
    }
}
