//! Why a cache could not be opened. Once open, a cache never fails: what it cannot give is a miss.

use std::path::PathBuf;

use thiserror::Error;

/// Why a cache could not be opened.
#[derive(Debug, Error)]
pub enum CacheError {
    /// The memory budget is too small to hold anything useful.
    #[error("the cache's memory must be at least {least} bytes, not {given}")]
    MemoryTooSmall {
        /// What was asked for, in bytes.
        given: u64,
        /// The least, in bytes.
        least: u64,
    },
    /// The NVMe budget is too small to hold anything useful.
    #[error("the cache directory must hold at least {least} bytes, not {given}")]
    DirectoryTooSmall {
        /// What was asked for, in bytes.
        given: u64,
        /// The least, in bytes.
        least: u64,
    },
    /// The directory is used by another gateway.
    #[error("the cache directory {} is in use by another process", path.display())]
    DirectoryInUse {
        /// The directory.
        path: PathBuf,
    },
    /// The cache in memory could not be made.
    #[error("the cache could not be made: {reason}")]
    Engine {
        /// What the engine said.
        reason: String,
    },
}
