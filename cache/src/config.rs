//! How large a block cache may be, and where its NVMe tier lies.

use std::path::PathBuf;

use sluice_types::FileSystemId;

use crate::CacheError;

/// The least memory a block cache can work with, in bytes: 16 blocks.
pub const MEMORY_BYTES_MIN: u64 = 1024 * 1024;

/// The least NVMe space a block cache can work with, in bytes: 16 of the smallest regions.
pub const NVME_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// How large a block cache may be, and where its NVMe tier lies.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// The file system whose blocks are cached: a directory that holds another one's is emptied.
    pub file_system: FileSystemId,
    /// Memory for blocks, in bytes, their bookkeeping included.
    pub memory_bytes: u64,
    /// A directory on NVMe for blocks that memory has no room for; `None` for memory alone.
    pub directory: Option<PathBuf>,
    /// Space in that directory, in bytes.
    pub directory_bytes: u64,
}

impl CacheConfig {
    /// A cache in memory alone.
    pub fn memory_only(file_system: FileSystemId, memory_bytes: u64) -> Self {
        Self {
            file_system,
            memory_bytes,
            directory: None,
            directory_bytes: 0,
        }
    }

    /// Checks the budgets.
    ///
    /// # Errors
    /// [`CacheError::MemoryTooSmall`], [`CacheError::DirectoryTooSmall`].
    pub(crate) fn check(&self) -> Result<(), CacheError> {
        if self.memory_bytes < MEMORY_BYTES_MIN {
            return Err(CacheError::MemoryTooSmall {
                given: self.memory_bytes,
                least: MEMORY_BYTES_MIN,
            });
        }
        if self.directory.is_some() && self.directory_bytes < NVME_BYTES_MIN {
            return Err(CacheError::DirectoryTooSmall {
                given: self.directory_bytes,
                least: NVME_BYTES_MIN,
            });
        }
        Ok(())
    }

    /// Into how many independently locked parts the memory tier is cut: enough that cores do not wait for one another,
    /// few enough that each holds many blocks.
    pub(crate) fn memory_shards(&self) -> usize {
        let shards = (self.memory_bytes / (8 * 1024 * 1024)).clamp(1, 64);
        shards.next_power_of_two() as usize
    }

    /// The unit in which NVMe space is reclaimed, in bytes: one file each, so that there are at most 1024 of them up to
    /// 64 GiB, and never more than the space divided by 64 MiB beyond.
    pub(crate) fn region_bytes(&self) -> u64 {
        let region = (self.directory_bytes / 1024).next_power_of_two();
        region.clamp(1024 * 1024, 64 * 1024 * 1024)
    }
}
