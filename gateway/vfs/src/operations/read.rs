//! Reading from a file.
//!
//! A file that is being written is read from storage, which has its unstable data. Any other is read through the block
//! cache: its data version names bytes that do not change, and becomes another before they do. So a block that is
//! fetched while a write session begins is cached under a version that nobody will ask for again; it is not
//! kept then, only to save room.

use std::ops::Range;
use std::sync::Arc;

use sluice_cache::{BLOCK_BYTES, BlockIndex, Fetched, FileVersion};
use sluice_types::{ByteRange, FILE_SIZE_MAX, FsError, Inode, InodeId, Payload};

use crate::Caller;
use crate::core::Core;
use crate::nodes::check_may_read;

/// A read that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadDone {
    /// The bytes: all that were asked for, up to the end of the file.
    pub payload: Payload,
    /// Whether they reach the end of the file.
    pub end_of_file: bool,
    /// The file.
    pub node: Inode,
}

impl Core {
    pub(crate) async fn read(
        self: &Arc<Self>,
        caller: &Caller,
        inode: InodeId,
        offset: u64,
        length: u32,
    ) -> Result<ReadDone, FsError> {
        let ready = self.ready_file(inode).await?;
        check_may_read(&ready.node, caller)?;
        let size = ready.node.attributes.size_bytes;
        let start = offset.min(FILE_SIZE_MAX);
        let end = start.saturating_add(u64::from(length)).min(size);
        let range = ByteRange::new(start, end.saturating_sub(start))?;
        let layout = ready.node.layout;
        let payload = if range.is_empty() {
            Payload::new()
        } else if ready.file.has_session() {
            self.metrics.read_bytes_direct.increment(range.length());
            self.backend.read(inode, &layout, range).await?
        } else {
            self.metrics.read_bytes_cached.increment(range.length());
            self.advance_read_ahead(&ready.node, range);
            self.read_cached(&ready.node, range).await?
        };
        Ok(ReadDone {
            payload,
            end_of_file: start.saturating_add(u64::from(length)) >= size,
            node: ready.file.node().unwrap_or(ready.node),
        })
    }

    /// Reads a range within the size of a file that is not being written.
    pub(crate) async fn read_cached(
        &self,
        node: &Inode,
        range: ByteRange,
    ) -> Result<Payload, FsError> {
        let file = FileVersion {
            inode: node.id,
            version: node.data_version,
        };
        let first = BlockIndex::of(range.start());
        let last = BlockIndex::of(range.end() - 1);
        let blocks = first..BlockIndex::new(last.raw() + 1);
        let fetch = |missing| self.fetch_blocks(node, missing);
        let found = self.blocks.read_blocks(file, blocks, fetch).await?;
        let skip = (range.start() - first.offset()) as usize;
        let mut payload = found.slice(skip, range.length() as usize);
        // A last block that was cached when the file was shorter ends early; the file grew by a hole then.
        payload.push_zeros(range.length() as usize - payload.len());
        Ok(payload)
    }

    async fn fetch_blocks(
        &self,
        node: &Inode,
        blocks: Range<BlockIndex>,
    ) -> Result<Fetched, FsError> {
        let length = (blocks.end.raw() - blocks.start.raw()) * u64::from(BLOCK_BYTES);
        let start = blocks.start.offset();
        let end = start.saturating_add(length).min(node.attributes.size_bytes);
        let range = ByteRange::new(start, end.saturating_sub(start))?;
        let payload = self.backend.read(node.id, &node.layout, range).await?;
        let keep = self.files.node(node.id).is_none();
        Ok(Fetched { payload, keep })
    }
}
