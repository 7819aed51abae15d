//! Listings in inode order, a page at a time.

use std::collections::VecDeque;

use sluice_types::{ChunkId, FsError, Inode, InodeId, TargetId};
use sluice_wire::meta::{CallContext, ListInodes, MetadataExt};
use sluice_wire::storage::{ChunkStatus, StorageOperation, StorageOutcome};

use crate::Client;

/// Inodes asked for at once.
const INODES_PER_PAGE: u32 = 1000;
/// Chunks asked for at once.
const CHUNKS_PER_PAGE: u32 = 1000;

/// All inodes, in order.
#[derive(Default)]
pub(super) struct InodeCursor {
    after: Option<InodeId>,
    end: bool,
}

impl InodeCursor {
    /// The next page; `None` after the last.
    pub(super) async fn next_page(
        &mut self,
        client: &Client,
    ) -> Result<Option<Vec<Inode>>, FsError> {
        if self.end {
            return Ok(None);
        }
        let list = ListInodes {
            after: self.after,
            limit: INODES_PER_PAGE,
        };
        let page = client.meta().run(&CallContext::internal(), list).await?;
        self.after = page.nodes.last().map(|node| node.id).or(self.after);
        // A page without inodes would be asked for again for ever.
        self.end = page.end || page.nodes.is_empty();
        Ok(Some(page.nodes))
    }
}

/// All chunks of a target, in order.
pub(super) struct ChunkCursor {
    target: TargetId,
    after: Option<ChunkId>,
    page: VecDeque<ChunkStatus>,
    end: bool,
}

impl ChunkCursor {
    pub(super) fn new(target: TargetId) -> Self {
        Self {
            target,
            after: None,
            page: VecDeque::new(),
            end: false,
        }
    }

    pub(super) fn target(&self) -> TargetId {
        self.target
    }

    /// The next chunk, if it belongs to an inode up to `last` (any, if `None`). After an error there are
    /// no more.
    pub(super) async fn next_up_to(
        &mut self,
        client: &Client,
        last: Option<InodeId>,
    ) -> Result<Option<ChunkStatus>, FsError> {
        if self.page.is_empty() && !self.end {
            let fetched = self.fetch(client).await;
            self.end |= fetched.is_err();
            fetched?;
        }
        let due = self
            .page
            .front()
            .is_some_and(|chunk| last.is_none_or(|last| chunk.chunk.inode <= last));
        Ok(if due { self.page.pop_front() } else { None })
    }

    async fn fetch(&mut self, client: &Client) -> Result<(), FsError> {
        let operation = StorageOperation::List {
            after: self.after,
            limit: CHUNKS_PER_PAGE,
        };
        match client.target_request(self.target, operation).await? {
            StorageOutcome::List { chunks, end } => {
                self.after = chunks.last().map(|chunk| chunk.chunk).or(self.after);
                self.end = end || chunks.is_empty();
                self.page = chunks.into();
                Ok(())
            }
            _ => Err(FsError::Internal),
        }
    }
}
