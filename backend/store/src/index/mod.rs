//! What is known of every chunk, in memory.
//!
//! Files are spread over shards by inode; a shard is one lock, held for memory work only. Within a shard,
//! chunks are in one tree ordered by (inode, index), so work on a file touches only its chunks, and a
//! chunk at rest costs about a hundred bytes.

mod chunk;
mod overlay;
mod plan;
mod shard;
#[cfg(test)]
mod tests;

pub(crate) use chunk::{Chunk, cut_extents, freed_runs, live_blocks, merge_extents};
pub(crate) use overlay::{NewPiece, Overlay, Piece};
pub(crate) use plan::{FlushPlan, compose, plan_flush};
pub(crate) use shard::{FileLock, Index, Shard};
