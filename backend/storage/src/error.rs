//! Why a storage daemon cannot do its work.

use std::path::PathBuf;

use sluice_store::StoreError;
use sluice_types::{FileSystemId, FsError};
use thiserror::Error;

/// Errors of a storage daemon as a whole; those of single requests are in their replies.
#[derive(Debug, Error)]
pub enum StorageError {
    /// Not one of the targets could be opened.
    #[error("none of {count} storage targets could be opened; the first, {}: {first}", directory.display())]
    NoTarget {
        /// How many were configured.
        count: usize,
        /// The directory of the first.
        directory: PathBuf,
        /// What was wrong with it.
        first: String,
    },
    /// Two directories hold the same target: one is a copy of the other.
    #[error("{} and {} hold the same target: one is a copy; remove one from the configuration", one.display(), other.display())]
    SameTarget {
        /// A directory.
        one: PathBuf,
        /// Another.
        other: PathBuf,
    },
    /// A number that the metadata service gave could not be recorded.
    #[error("recording the target's number: {0}")]
    Record(#[from] StoreError),
    /// Whether the metadata service is that of the targets' file system is not known.
    #[error(
        "the targets belong to file system {own}, and the metadata service gives no cluster map ({source}): it is out of \
         touch, or it is another one that has not formed its file system yet"
    )]
    Map {
        /// The file system of the first of them.
        own: FileSystemId,
        /// What the metadata service said.
        source: FsError,
    },
    /// The metadata service refused the report.
    #[error("reporting to the metadata service: {0}")]
    Report(FsError),
    /// The metadata service answered for another number of targets than were reported.
    #[error("the metadata service numbered {found} targets, expected {expected}")]
    ReportMismatch {
        /// Targets reported.
        expected: usize,
        /// Targets numbered.
        found: usize,
    },
}
