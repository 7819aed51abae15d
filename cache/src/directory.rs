//! The NVMe tier's directory: who may use it, and whether what it holds may be believed.
//!
//! A label file says which file system's blocks lie here and in which shape. Whatever does not fit (another file system,
//! another format, an unreadable label) is dropped with a line in the log: a cache holds nothing that cannot be had
//! again. Only the cache's own files are ever removed. A lock on the label keeps a second process out.
//!
//! What is assumed of the medium: nothing. Every entry carries a checksum over key and value that is verified on
//! every read, so torn, stale or overwritten parts read as misses.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::{BLOCK_BYTES, CacheConfig, CacheError};

const LABEL: &str = "sluice-cache";
const LABEL_BYTES_MAX: u64 = 4096;
const REGION_FILE_PREFIX: &str = "foyer-storage-direct-fs-";

/// The directory, locked for this process.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Held for its lock.
    _label: File,
}

/// Why a directory cannot be used now.
#[derive(Debug)]
pub(crate) enum DirectoryError {
    /// To be told to the user.
    Refused(CacheError),
    /// The disk's fault: go on without.
    Broken(io::Error),
}

impl From<io::Error> for DirectoryError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Directory {
    /// Makes the directory if need be, locks it, and empties it unless its label fits `config`.
    pub(crate) fn open(path: &Path, config: &CacheConfig) -> Result<Self, DirectoryError> {
        fs::create_dir_all(path)?;
        let mut label = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LABEL))?;
        match label.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let path = path.to_owned();
                return Err(DirectoryError::Refused(CacheError::DirectoryInUse { path }));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let wanted = label_text(config);
        let mut found = Vec::new();
        (&label).take(LABEL_BYTES_MAX).read_to_end(&mut found)?;
        if found != wanted.as_bytes() {
            if !found.is_empty() {
                tracing::warn!(path = %path.display(), "the block cache on disk is of another file system or shape: dropped");
            }
            remove_regions(path, 0)?;
            label.set_len(0)?;
            label.rewind()?;
            label.write_all(wanted.as_bytes())?;
            label.sync_all()?;
        }
        // Of a larger cache before: beyond what this one may take, and it would never look at them.
        remove_regions(path, config.directory_bytes / config.region_bytes())?;
        Ok(Self { _label: label })
    }
}

/// Removes the cache's regions from number `first` on; the label stays.
pub(crate) fn remove_regions(path: &Path, first: u64) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if region_number(&entry.file_name()).is_some_and(|number| number >= first) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The number of the region in the file of this name; `None` if the file is none of the cache's.
fn region_number(name: &OsStr) -> Option<u64> {
    let name = name.to_str()?;
    name.strip_prefix(REGION_FILE_PREFIX)?.parse().ok()
}

fn label_text(config: &CacheConfig) -> String {
    format!(
        "sluice block cache 1\nfile_system {:016x}\nblock_bytes {BLOCK_BYTES}\nregion_bytes {}\n",
        config.file_system.raw(),
        config.region_bytes(),
    )
}
