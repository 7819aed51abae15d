//! The crate's one error: what stops an operation, from refusal to damage.

use sluice_types::FsError;
use thiserror::Error;

use crate::kv::KvError;

/// Why the metadata service did not do something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetaError {
    /// The operation is refused, as its caller is told.
    #[error(transparent)]
    Refused(#[from] FsError),
    /// The key-value engine.
    #[error(transparent)]
    Store(#[from] KvError),
    /// A record cannot be read.
    #[error("the {record} record is damaged: expected {expected}, found {found}")]
    Damaged {
        /// Which kind of record.
        record: &'static str,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
}

impl MetaError {
    /// What the operation's caller is told.
    pub fn to_fs_error(&self) -> FsError {
        match self {
            Self::Refused(error) => *error,
            // Retried inside; whoever still meets it may ask again.
            Self::Store(KvError::Conflict) => FsError::Busy,
            Self::Store(KvError::NoSpace { .. }) => FsError::NoSpace,
            // What was committed and not flushed may or may not be there after the restart.
            Self::Store(KvError::Failed { .. }) => FsError::Unavailable,
            Self::Store(KvError::Engine { .. }) | Self::Damaged { .. } => FsError::Io,
        }
    }
}
