//! Removing a file, or one chunk of it.

use std::sync::Arc;

use sluice_types::{ChunkId, ChunkIndex, InodeId};

use super::truncate::Dropped;
use crate::format::Record;
use crate::{Store, StoreError};

impl Store {
    /// Removes all chunks of a file; durable when it returns. Later writes to the inode are refused, as long as the
    /// removal is among the last thousands that are remembered.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] while there is no room in the log, nor was for 10 s, with nothing changed;
    /// [`StoreError::Device`], [`StoreError::Failed`].
    pub async fn remove(self: &Arc<Self>, inode: InodeId) -> Result<(), StoreError> {
        self.failure.check()?;
        self.log.check_room()?;
        let remove = move |store: Arc<Self>| async move {
            let Some((dropped, sequence)) = store.remove_in_memory(inode) else {
                return store.log.barrier().await;
            };
            store.log.durable(sequence).await?;
            store.give_back(inode, dropped.runs);
            Ok(())
        };
        let result = self.with_file(inode, remove).await;
        self.counted(result)
    }

    /// Removes one chunk, as when it moved to another target; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] while there is no room in the log, nor was for 10 s, with nothing changed;
    /// [`StoreError::Device`], [`StoreError::Failed`].
    pub async fn remove_chunk(self: &Arc<Self>, chunk: ChunkId) -> Result<(), StoreError> {
        self.failure.check()?;
        self.log.check_room()?;
        let remove = move |store: Arc<Self>| async move {
            let Some((dropped, sequence)) = store.remove_chunk_in_memory(chunk) else {
                return store.log.barrier().await;
            };
            store.log.durable(sequence).await?;
            store.give_back(chunk.inode, dropped.runs);
            Ok(())
        };
        let result = self.with_file(chunk.inode, remove).await;
        self.counted(result)
    }

    fn remove_in_memory(&self, inode: InodeId) -> Option<(Dropped, u64)> {
        let mut shard = self.index.shard(inode);
        shard.note_removed(inode);
        let first = ChunkIndex::new(0);
        shard.chunks_of(inode, first).next()?;
        let sequence = self.log.append(&Record::RemoveFile {
            inode,
            version: self.next_version(),
        });
        let mut dropped = Dropped::default();
        self.drop_chunks(
            &mut shard,
            ChunkId {
                inode,
                index: first,
            },
            &mut dropped,
        );
        self.allocator.unsettle(&dropped.runs);
        drop(shard);
        self.budget.release(dropped.memory_bytes);
        Some((dropped, sequence))
    }

    fn remove_chunk_in_memory(&self, chunk: ChunkId) -> Option<(Dropped, u64)> {
        let mut shard = self.index.shard(chunk.inode);
        shard.chunks.get(&chunk)?;
        let sequence = self.log.append(&Record::RemoveChunk {
            chunk,
            version: self.next_version(),
        });
        let mut dropped = Dropped::default();
        self.drop_chunk(&mut shard, chunk, &mut dropped);
        self.allocator.unsettle(&dropped.runs);
        drop(shard);
        self.budget.release(dropped.memory_bytes);
        Some((dropped, sequence))
    }
}
