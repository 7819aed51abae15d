//! Requests to storage targets and their replies, as plain values.

use sluice_types::{
    BootId, ChunkId, ChunkIndex, ChunkRange, FenceEpoch, FsError, InodeId, MapVersion, SessionId,
    Stability, TargetId,
};

/// The header of a request. The payload of a [`StorageOperation::Write`] comes beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageRequest {
    /// The target asked.
    pub target: TargetId,
    /// The map by which the asker chose the target; zero to ask whatever the map (administration).
    pub map_version: MapVersion,
    /// The gateway's session: refused once fenced. Zero for the cluster's own work.
    pub session: SessionId,
    /// The newest epoch that the asker knows of: the target serves no session any more that ended up to it.
    pub fence_epoch: FenceEpoch,
    /// What to do.
    pub operation: StorageOperation,
}

/// What a target can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageOperation {
    /// Writes the payload into a chunk.
    Write {
        /// The chunk.
        chunk: ChunkId,
        /// Where; `length` is the payload's.
        range: ChunkRange,
        /// When it must be durable.
        stability: Stability,
    },
    /// Reads from a chunk. The reply is shorter than asked where the chunk ends (or is missing):
    /// what lacks is zeros, as far as the file's size goes.
    Read {
        /// The chunk.
        chunk: ChunkId,
        /// What to read.
        range: ChunkRange,
    },
    /// Makes all unstable data of a file durable.
    Commit {
        /// The file.
        inode: InodeId,
    },
    /// Cuts a file: chunk `chunk` to `length` bytes, all later chunks away. Durable when answered.
    Truncate {
        /// The file.
        inode: InodeId,
        /// The chunk that is cut.
        chunk: ChunkIndex,
        /// What stays of it, in bytes; 0 removes it too.
        length: u32,
    },
    /// Removes all chunks of a file. Durable when answered.
    Remove {
        /// The file.
        inode: InodeId,
    },
    /// Says what the target holds of a file.
    FileStatus {
        /// The file.
        inode: InodeId,
    },
    /// Lists chunks in order.
    List {
        /// Where the last page ended; `None` to start.
        after: Option<ChunkId>,
        /// At most so many.
        limit: u32,
    },
    /// Says how the target is.
    TargetStatus,
    /// Reads and verifies stored data.
    Scrub {
        /// Where the last step ended; `None` to start.
        after: Option<ChunkId>,
        /// About how many bytes to read in this step.
        budget_bytes: u64,
    },
    /// Checks the target's index against its allocator.
    Check,
}

/// The header of a reply. The payload of a read comes beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageReply {
    /// The target's present boot, in every reply, so that askers learn of a restart at once. Zero if
    /// the target is not there.
    pub boot: BootId,
    /// The outcome. [`FsError::MapOutdated`] if the asker's map is older than the target's.
    pub result: Result<StorageOutcome, FsError>,
}

/// What a request gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageOutcome {
    /// Of a write.
    Written,
    /// Of a read; the bytes are the reply's payload.
    Read,
    /// Of a commit.
    Committed(FileStatus),
    /// Of a truncation.
    Truncated,
    /// Of a removal.
    Removed,
    /// Of a question after a file.
    FileStatus(FileStatus),
    /// Of a list.
    List {
        /// The chunks.
        chunks: Vec<ChunkStatus>,
        /// Whether these were the last.
        end: bool,
    },
    /// Of a question after the target.
    TargetStatus(TargetStatus),
    /// Of a scrub step.
    Scrub(ScrubStep),
    /// Of a check: what is wrong, in words; empty if nothing.
    Check(Vec<String>),
}

/// What a target holds of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// The last chunk there is and its length in bytes.
    pub end: Option<(ChunkIndex, u32)>,
    /// Space taken, in bytes.
    pub allocated_bytes: u64,
}

/// A chunk in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkStatus {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its length in bytes.
    pub length: u32,
    /// Grows with each change.
    pub version: u64,
    /// Space taken, in bytes.
    pub allocated_bytes: u64,
}

/// How a target is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetStatus {
    /// Size in bytes.
    pub capacity_bytes: u64,
    /// Space taken in bytes, unstable data included.
    pub used_bytes: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// Unstable data in memory, in bytes.
    pub unstable_bytes: u64,
    /// Device errors since the start.
    pub device_errors: u64,
    /// Checksum failures since the start.
    pub checksum_errors: u64,
    /// It is out of service.
    pub failed: bool,
}

/// A step of a scrub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubStep {
    /// Bytes read and verified.
    pub checked_bytes: u64,
    /// Chunks with data that does not match its checksum.
    pub damaged: Vec<ChunkId>,
    /// Where to go on; `None` at the end.
    pub next: Option<ChunkId>,
}
