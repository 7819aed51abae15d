//! The store's operations, one file each.

mod check;
mod close;
mod commit;
mod compact;
mod flush;
mod list;
mod old_blocks;
mod read;
mod remove;
mod scrub;
mod space;
mod truncate;
mod write;

pub use check::CheckReport;
pub(crate) use close::FLUSHES_MAX;
pub use commit::CommitDone;
pub use list::{ChunkEntry, FileStatus};
pub(crate) use old_blocks::OldBlockRoom;
pub use scrub::{ScrubError, ScrubReport};
pub use space::SpaceStatus;
pub(crate) use truncate::cut_chunk;
pub use write::WriteDone;
