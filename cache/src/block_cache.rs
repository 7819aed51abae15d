//! The block cache: hot blocks in memory, warm ones on NVMe.
//!
//! A lookup in memory is a plain function call. Blocks that memory evicts go to NVMe if there is one, and come back
//! from there at the next use; at a regular close all that memory holds goes there too. Eviction in memory is S3-FIFO: a
//! block that is read once (a scan) leaves through a small queue and never displaces what is read again.
//!
//! Budgets: memory holds at most `memory_bytes` of blocks with [`BLOCK_OVERHEAD_BYTES`] each; with an NVMe tier
//! come at most [`NVME_QUEUE_BYTES`] that wait to be written and [`NVME_BUFFER_BYTES`] being written; beyond these
//! evicted blocks are dropped. NVMe holds at most `directory_bytes`.
//!
//! No error of the NVMe tier reaches a reader: it is a miss, a line in the log and a count.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use foyer::{
    BlockEngineConfig, DeviceBuilder, Event, EventListener, FsDeviceBuilder, HybridCache,
    HybridCacheBuilder, HybridCachePolicy, HybridCacheProperties, RecoverMode, S3FifoConfig,
};
use sluice_types::Payload;

use crate::block::{BLOCK_OVERHEAD_BYTES, Block};
use crate::directory::{self, Directory, DirectoryError};
use crate::in_flight::InFlight;
use crate::metrics::BlockMetrics;
use crate::{BLOCK_BYTES, BlockKey, CacheConfig, CacheError};

/// Evicted blocks that may wait to be written to NVMe, in bytes.
const NVME_QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Memory in which writes to NVMe are put together, in bytes.
const NVME_BUFFER_BYTES: usize = 8 * 1024 * 1024;

pub(crate) type Hybrid = HybridCache<BlockKey, Block>;

/// Blocks of files in memory and, if configured, on NVMe.
pub struct BlockCache {
    pub(crate) hybrid: Hybrid,
    pub(crate) in_flight: InFlight,
    pub(crate) metrics: BlockMetrics,
    memory_bytes: u64,
    /// The directory's lock, held as long as the cache lives.
    _directory: Option<Directory>,
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCache")
            .field("memory_bytes", &self.memory_bytes)
            .field("memory_used_bytes", &self.memory_used_bytes())
            .field("nvme", &self.has_nvme())
            .finish_non_exhaustive()
    }
}

impl BlockCache {
    /// Opens the cache. Blocks that an earlier run left in the directory are good again. A directory that cannot be used
    /// is dropped with a line in the log, and if it cannot even be emptied, the cache is in memory alone.
    ///
    /// # Errors
    /// Budgets that are too small, and a directory that another process uses.
    pub async fn open(config: CacheConfig) -> Result<Arc<Self>, CacheError> {
        config.check()?;
        let mut opened = None;
        if let Some(path) = &config.directory {
            opened = open_on_nvme(path, &config).await?;
        }
        let (hybrid, directory) = match opened {
            Some((hybrid, directory)) => (hybrid, Some(directory)),
            None => (open_in_memory(&config).await?, None),
        };
        Ok(Arc::new(Self {
            hybrid,
            in_flight: InFlight::default(),
            metrics: BlockMetrics::new(),
            memory_bytes: config.memory_bytes,
            _directory: directory,
        }))
    }

    /// The block, if it is in memory.
    pub fn get(&self, key: &BlockKey) -> Option<Bytes> {
        let entry = self.hybrid.memory().get(key)?;
        let bytes = entry.value().0.clone();
        self.metrics.memory_hit(bytes.len());
        Some(bytes)
    }

    /// Puts a block into the cache, copied into memory of its own. One longer than [`BLOCK_BYTES`], or too large for
    /// the budget, is not taken.
    pub fn insert(&self, key: BlockKey, block: &Payload) {
        if block.len() > BLOCK_BYTES as usize || !self.has_room_for(block.len()) {
            return;
        }
        let bytes = match block.segments() {
            [only] => Bytes::copy_from_slice(only),
            _ => block.to_contiguous(),
        };
        self.metrics.inserted(bytes.len());
        drop(self.hybrid.insert(key, Block(bytes)));
    }

    /// Whether there is an NVMe tier.
    pub fn has_nvme(&self) -> bool {
        self.hybrid.is_hybrid()
    }

    /// Memory that blocks take now, in bytes, their bookkeeping included; never above the budget.
    pub fn memory_used_bytes(&self) -> u64 {
        self.hybrid.memory().usage() as u64
    }

    /// Writes what memory holds to NVMe and stops. To be called before the process ends; without it, the next
    /// run finds what had been evicted to NVMe before.
    pub async fn close(&self) {
        if let Err(error) = self.hybrid.close().await {
            tracing::warn!(%error, "the block cache was not written out completely");
        }
    }

    /// The block, if it is on NVMe.
    pub(crate) async fn load_from_nvme(&self, key: &BlockKey) -> Option<Bytes> {
        if !self.has_nvme() || !self.hybrid.storage().may_contains(key) {
            return None;
        }
        match self.hybrid.get(key).await {
            Ok(Some(entry)) => {
                let bytes = entry.value().0.clone();
                self.metrics.nvme_hit(bytes.len());
                Some(bytes)
            }
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, ?key, "a cached block could not be read from disk");
                self.metrics.nvme_error();
                None
            }
        }
    }

    fn has_room_for(&self, length: usize) -> bool {
        let memory = self.hybrid.memory();
        length + BLOCK_OVERHEAD_BYTES <= memory.capacity() / memory.shards()
    }
}

/// Counts evictions from memory.
struct Evictions(::metrics::Counter);

impl EventListener for Evictions {
    type Key = BlockKey;
    type Value = Block;

    fn on_leave(&self, reason: Event, _key: &BlockKey, _value: &Block) {
        if reason == Event::Evict {
            self.0.increment(1);
        }
    }
}

type MemoryTier = foyer::HybridCacheBuilderPhaseStorage<BlockKey, Block, foyer::DefaultHasher>;

fn memory_tier(config: &CacheConfig) -> MemoryTier {
    HybridCacheBuilder::new()
        .with_name("sluice")
        .with_policy(HybridCachePolicy::WriteOnEviction)
        .with_flush_on_close(true)
        .with_event_listener(Arc::new(Evictions(BlockMetrics::evictions())))
        .memory(config.memory_bytes as usize)
        .with_shards(config.memory_shards())
        .with_eviction_config(S3FifoConfig::default())
        .with_weighter(|_: &BlockKey, block: &Block| block.weight())
        .storage()
}

async fn open_in_memory(config: &CacheConfig) -> Result<Hybrid, CacheError> {
    let built = memory_tier(config).build().await;
    built.map_err(|error| engine_error(&error))
}

/// Opens with the NVMe tier; `None` if the directory is of no use.
async fn open_on_nvme(
    path: &Path,
    config: &CacheConfig,
) -> Result<Option<(Hybrid, Directory)>, CacheError> {
    let directory = match Directory::open(path, config) {
        Ok(directory) => directory,
        Err(DirectoryError::Refused(error)) => return Err(error),
        Err(DirectoryError::Broken(error)) => {
            tracing::warn!(%error, path = %path.display(), "the cache directory is of no use: caching in memory alone");
            return Ok(None);
        }
    };
    match build_on_nvme(path, config).await {
        Ok(hybrid) => return Ok(Some((hybrid, directory))),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the block cache on disk is damaged: dropped");
        }
    }
    if let Err(error) = directory::remove_regions(path, 0) {
        tracing::warn!(%error, path = %path.display(), "the cache directory cannot be emptied: caching in memory alone");
        return Ok(None);
    }
    match build_on_nvme(path, config).await {
        Ok(hybrid) => Ok(Some((hybrid, directory))),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the cache directory is of no use: caching in memory alone");
            Ok(None)
        }
    }
}

async fn build_on_nvme(path: &Path, config: &CacheConfig) -> foyer::Result<Hybrid> {
    let device = FsDeviceBuilder::new(path)
        .with_capacity(config.directory_bytes as usize)
        .build()?;
    let engine = BlockEngineConfig::<BlockKey, Block, HybridCacheProperties>::new(device)
        .with_block_size(config.region_bytes() as usize)
        .with_buffer_pool_size(NVME_BUFFER_BYTES)
        .with_submit_queue_size_threshold(NVME_QUEUE_BYTES);
    memory_tier(config)
        .with_engine_config(engine)
        .with_recover_mode(RecoverMode::Quiet)
        .build()
        .await
}

fn engine_error(error: &foyer::Error) -> CacheError {
    CacheError::Engine {
        reason: error.to_string(),
    }
}
