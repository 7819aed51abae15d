//! The store: what operations share, opening, and background work.

mod background;
mod open;
mod replay;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use sluice_types::{BootId, Clock, FileSystemId, TargetId, TargetUuid};
use tokio::task::JoinHandle;

use crate::allocator::Allocator;
use crate::budget::Budget;
use crate::device::{Buffer, Device};
use crate::epochs::Epochs;
use crate::failure::Failure;
use crate::format::{SUPERBLOCK_NAME, SUPERBLOCK_NEW_NAME, Superblock};
use crate::index::{FileLock, Index};
use crate::log::Log;
use crate::metrics::StoreMetrics;
use crate::ops::OldBlockRoom;
use crate::slabs::Slabs;
use crate::{StoreConfig, StoreError};

/// The chunk store of one target. Operations are in `ops/`, each with its documentation.
pub struct Store {
    pub(crate) config: StoreConfig,
    pub(crate) device: Arc<dyn Device>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) boot: BootId,
    pub(crate) index: Index,
    pub(crate) allocator: Arc<Allocator>,
    pub(crate) slabs: Slabs,
    pub(crate) log: Arc<Log>,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) old_block_room: OldBlockRoom,
    pub(crate) failure: Arc<Failure>,
    pub(crate) metrics: Arc<StoreMetrics>,
    /// Files with data in memory, oldest first, for the background flusher.
    pub(crate) flush_queue: Mutex<background::FlushQueue>,
    /// Sum of all chunks' records: what compaction must keep of the log.
    pub(crate) live_record_bytes: AtomicU64,
    device_errors: AtomicU64,
    checksum_errors: AtomicU64,
    superblock: tokio::sync::Mutex<Superblock>,
    uuid: TargetUuid,
    versions: AtomicU64,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// Where a target belongs, as its superblock has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Its number in the cluster; [`TargetId::UNREGISTERED`] until it has one.
    pub target: TargetId,
    /// The file system whose chunks it holds; `None` until it is a part of one.
    pub file_system: Option<FileSystemId>,
}

/// A summary for an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// Bytes in memory that are not in slabs yet.
    pub dirty_bytes: u64,
    /// Size of the log.
    pub log_bytes: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// Operations that failed since the start.
    pub device_errors: u64,
    /// Extents found damaged since the start.
    pub checksum_errors: u64,
    /// Why the target is out of service.
    pub failed: Option<String>,
}

impl Store {
    /// The target's own name, made when the store was.
    pub fn uuid(&self) -> TargetUuid {
        self.uuid
    }

    /// This start of the store; another one each time unflushed data may have been lost.
    pub fn boot(&self) -> BootId {
        self.boot
    }

    /// Where the target belongs, as the superblock has it.
    pub async fn membership(&self) -> Membership {
        let superblock = self.superblock.lock().await;
        Membership {
            target: superblock.target,
            file_system: superblock.file_system,
        }
    }

    /// Records where the target belongs, as the metadata service said; durable when it returns. Its chunks are those of
    /// one file system for ever.
    ///
    /// # Errors
    /// [`StoreError::OtherFileSystem`] if it belongs to another, or to one while `membership` says none;
    /// [`StoreError::Device`] if the superblock cannot be written.
    pub async fn join(&self, membership: Membership) -> Result<(), StoreError> {
        let Membership {
            target,
            file_system,
        } = membership;
        let mut superblock = self.superblock.lock().await;
        if let Some(own) = superblock.file_system
            && file_system != Some(own)
        {
            return Err(StoreError::OtherFileSystem {
                own,
                asked: file_system,
            });
        }
        let changed = Superblock {
            target,
            file_system,
            ..*superblock
        };
        if changed == *superblock {
            return Ok(());
        }
        write_superblock(&self.device, &changed).await?;
        *superblock = changed;
        Ok(())
    }

    /// Why the target is out of service, if it is.
    pub fn failed(&self) -> Option<String> {
        self.failure.reason().map(|reason| reason.to_string())
    }

    /// A summary for an administrator.
    pub fn status(&self) -> StoreStatus {
        StoreStatus {
            dirty_bytes: self.budget.used() as u64,
            log_bytes: self.log.size().0,
            chunks: self
                .index
                .shards()
                .map(|shard| shard.chunks.len() as u64)
                .sum(),
            device_errors: self.device_errors.load(Ordering::Relaxed),
            checksum_errors: self.checksum_errors.load(Ordering::Relaxed),
            failed: self.failed(),
        }
    }

    /// Ends the background work.
    pub(crate) fn stop_tasks(&self) {
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
    }

    pub(crate) fn next_version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs an operation that must finish once begun, also if its caller goes away.
    pub(crate) async fn detached<T: Send + 'static>(
        self: &Arc<Self>,
        operation: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match tokio::spawn(operation).await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::Closed),
        }
    }

    /// Runs `operation` with the file's lock.
    pub(crate) async fn with_file<T, F>(
        self: &Arc<Self>,
        inode: sluice_types::InodeId,
        operation: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let store = Arc::clone(self);
        self.detached(async move {
            let lock: FileLock = store.index.lock_file(inode).await;
            let result = operation(Arc::clone(&store)).await;
            store.index.unlock_file(lock);
            result
        })
        .await
    }

    /// Counts an error on its way to a caller.
    pub(crate) fn counted<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            match error {
                StoreError::Checksum { .. } => {
                    self.checksum_errors.fetch_add(1, Ordering::Relaxed);
                    self.metrics.checksum_failures.increment(1);
                    tracing::error!(target_label = self.config.label, %error, "damaged data");
                }
                StoreError::Invalid(_)
                | StoreError::Removed(_)
                | StoreError::NoSpace
                | StoreError::GivenUp => {}
                _ => {
                    self.device_errors.fetch_add(1, Ordering::Relaxed);
                    self.metrics.errors.increment(1);
                }
            }
        }
        result
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("label", &self.config.label)
            .field("uuid", &self.uuid)
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.log.close();
        self.stop_tasks();
    }
}

/// Writes the superblock under another name, then renames.
async fn write_superblock(
    device: &Arc<dyn Device>,
    superblock: &Superblock,
) -> Result<(), StoreError> {
    let device_error = |error| StoreError::device("writing the superblock", error);
    let mut block = Buffer::on_heap(crate::format::BLOCK_BYTES);
    block.as_mut().copy_from_slice(&superblock.encode());
    let bytes = block.len() as u64;
    let file = device
        .create(SUPERBLOCK_NEW_NAME, bytes)
        .await
        .map_err(device_error)?;
    device
        .write_at(file, 0, vec![block])
        .await
        .map_err(device_error)?;
    device.flush(file).await.map_err(device_error)?;
    device.close(file).await;
    let renamed = device.rename(SUPERBLOCK_NEW_NAME, SUPERBLOCK_NAME).await;
    renamed.map_err(device_error)?;
    device.sync_directory().await.map_err(device_error)
}
