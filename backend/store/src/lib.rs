//! The chunk store of one storage target: one directory on one disk.
//!
//! ```text
//!   write / read / commit / truncate / remove / list / scrub / check      ops/
//!        |                                                    one operation, one file
//!   index/   chunks in memory, ordered by (inode, index): extents on disk, overlay of newer bytes
//!        |
//!   allocator   slab blocks: a bitmap, what is reserved, what may be reused when
//!   log/        index and journal in one: frames, group commit, recovery, compaction
//!        |
//!   device/     files on a disk: io_uring with O_DIRECT, or threads; `simulated` for tests
//! ```
//!
//! What holds at every moment, whatever crashes:
//!
//! - **Nothing is overwritten in place.** Data goes to free blocks, is flushed, then the log says
//!   where it is, then the blocks it replaced become free. A crash leaves the old or the new.
//! - **Log order is memory order.** A record is queued under the same lock under which the change it
//!   describes becomes visible, so replaying the log gives what readers saw.
//! - **Every byte read from a slab was verified** against the crc32c of its extent.
//! - **Space is reserved when a write is accepted**, so a commit never runs out of it.
//! - **One flush, truncation or removal of a file at a time** (a file's lock); writes and
//!   reads never wait for it.
//!
//! The bytes on disk are described in [`format`] and nowhere else.

mod allocator;
mod budget;
mod config;
pub mod device;
mod epochs;
mod error;
mod failure;
pub mod format;
mod index;
mod log;
pub mod metrics;
mod ops;
pub mod simulated;
mod slabs;
mod store;

pub use config::{FormatPolicy, StoreConfig};
pub use error::StoreError;
pub use ops::{
    CheckReport, ChunkEntry, CommitDone, FileStatus, ScrubError, ScrubReport, SpaceStatus,
    WriteDone,
};
pub use store::{Membership, Store, StoreStatus};
