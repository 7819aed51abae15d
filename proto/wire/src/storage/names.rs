//! What every layer between asker and target wants to know of an operation without taking it apart.

use super::StorageOperation;

impl StorageOperation {
    /// All names that [`StorageOperation::name`] can give, by [`StorageOperation::index`].
    pub const NAMES: &'static [&'static str] = &[
        "Write",
        "Read",
        "Commit",
        "Truncate",
        "Remove",
        "FileStatus",
        "List",
        "TargetStatus",
        "Scrub",
        "Check",
    ];

    /// The operation's name in metrics and logs.
    pub fn name(&self) -> &'static str {
        Self::NAMES[self.index()]
    }

    /// The operation's position in [`StorageOperation::NAMES`].
    pub fn index(&self) -> usize {
        match self {
            Self::Write { .. } => 0,
            Self::Read { .. } => 1,
            Self::Commit { .. } => 2,
            Self::Truncate { .. } => 3,
            Self::Remove { .. } => 4,
            Self::FileStatus { .. } => 5,
            Self::List { .. } => 6,
            Self::TargetStatus => 7,
            Self::Scrub { .. } => 8,
            Self::Check => 9,
        }
    }

    /// The largest payload that a good reply can have, in bytes.
    pub fn reply_payload_bytes_max(&self) -> u32 {
        match self {
            Self::Read { range, .. } => range.length,
            _ => 0,
        }
    }
}
