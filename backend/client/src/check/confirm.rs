//! Second looks: what seemed wrong when it was listed is asked for again, in an order in which no change that
//! happens meanwhile can make a good state look bad.

use sluice_types::{ChunkId, ChunkIndex, ClusterMap, FileKind, FsError, Inode, InodeId, TargetId};
use sluice_wire::meta::{CallContext, FindRemoval, GetInode, MetadataExt};
use sluice_wire::storage::{ChunkStatus, FileStatus, StorageOperation, StorageOutcome};

use crate::Client;

/// What is wrong with a chunk of a known inode on a target, in words.
pub(super) fn problem(
    map: &ClusterMap,
    node: &Inode,
    target: TargetId,
    status: &ChunkStatus,
) -> Option<String> {
    let chunk = status.chunk;
    if node.attributes.kind != FileKind::Regular {
        return Some(format!(
            "target {target}: chunk {chunk} belongs to no regular file"
        ));
    }
    let group = map.group(node.layout.group_of(chunk.index, map.groups.len()));
    if !group.is_some_and(|group| group.replicas.contains(&target)) {
        return Some(format!(
            "target {target}: chunk {chunk} should lie elsewhere"
        ));
    }
    let chunk_size = node.layout.chunk_size.bytes();
    if status.length > chunk_size {
        let length = status.length;
        return Some(format!(
            "target {target}: chunk {chunk} has {length} bytes, a chunk of the file {chunk_size}"
        ));
    }
    let in_use = node.writer.raw() != 0 || node.pending_trim.is_some();
    let start = u64::from(chunk.index.raw()) * u64::from(chunk_size);
    let (end, size) = (start + u64::from(status.length), node.attributes.size_bytes);
    (!in_use && end > size)
        .then(|| format!("target {target}: chunk {chunk} ends at {end}, its file at {size} bytes"))
}

pub(super) struct Confirmer<'a> {
    client: &'a Client,
    /// The target and inode that were last found to have no inode, reported or queued.
    decided: Option<(TargetId, InodeId)>,
}

impl<'a> Confirmer<'a> {
    pub(super) fn new(client: &'a Client) -> Self {
        Self {
            client,
            decided: None,
        }
    }

    /// What is wrong with a chunk whose inode was listed: the inode is read before and after the chunk, and must be
    /// the same.
    pub(super) async fn of_known(
        &self,
        target: TargetId,
        chunk: ChunkId,
    ) -> Result<Option<String>, FsError> {
        let Some(before) = self.inode(chunk.inode).await? else {
            return Ok(None);
        };
        let status = match self.chunk_status(target, chunk).await {
            Ok(Some(status)) => status,
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(cannot_be_asked(target, error))),
        };
        match self.inode(chunk.inode).await? {
            Some(after) if after == before => {
                Ok(problem(&self.client.map(), &after, target, &status))
            }
            _ => Ok(None),
        }
    }

    /// What is wrong with a chunk whose inode was not listed. An inode that is gone was put into the removal queue
    /// in the same moment, and leaves it only when its chunks are gone: so if it is in neither, there may be
    /// no chunks.
    pub(super) async fn of_unknown(
        &mut self,
        target: TargetId,
        chunk: ChunkId,
    ) -> Result<Option<String>, FsError> {
        let inode = chunk.inode;
        if self.decided == Some((target, inode)) {
            return Ok(None);
        }
        if self.inode(inode).await?.is_some() {
            return self.of_known(target, chunk).await;
        }
        self.decided = Some((target, inode));
        if self.is_queued(inode).await? {
            return Ok(None);
        }
        Ok(match self.file_status(target, inode).await {
            Ok(FileStatus { end: None, .. }) => None,
            Ok(_) => Some(format!(
                "target {target}: holds chunks of {inode}, which is no inode"
            )),
            Err(error) => Some(cannot_be_asked(target, error)),
        })
    }

    async fn inode(&self, inode: InodeId) -> Result<Option<Inode>, FsError> {
        let read = GetInode { inode };
        match self.client.meta().run(&CallContext::internal(), read).await {
            Ok(node) => Ok(Some(node)),
            Err(FsError::Stale | FsError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the inode is in the removal queue, however long that is.
    async fn is_queued(&self, inode: InodeId) -> Result<bool, FsError> {
        let find = FindRemoval { inode };
        let found = self.client.meta().run(&CallContext::internal(), find).await;
        Ok(found?.queued)
    }

    async fn chunk_status(
        &self,
        target: TargetId,
        chunk: ChunkId,
    ) -> Result<Option<ChunkStatus>, FsError> {
        let operation = StorageOperation::List {
            after: before(chunk),
            limit: 1,
        };
        match self.client.target_request(target, operation).await? {
            StorageOutcome::List { chunks, .. } => {
                Ok(chunks.into_iter().find(|status| status.chunk == chunk))
            }
            _ => Err(FsError::Internal),
        }
    }

    async fn file_status(&self, target: TargetId, inode: InodeId) -> Result<FileStatus, FsError> {
        let operation = StorageOperation::FileStatus { inode };
        match self.client.target_request(target, operation).await? {
            StorageOutcome::FileStatus(status) => Ok(status),
            _ => Err(FsError::Internal),
        }
    }
}

/// The chunk id just before this one; `None` for the first.
fn before(chunk: ChunkId) -> Option<ChunkId> {
    match chunk.index.raw().checked_sub(1) {
        Some(index) => Some(ChunkId {
            index: ChunkIndex::new(index),
            ..chunk
        }),
        None => InodeId::new(chunk.inode.raw() - 1).map(|inode| ChunkId {
            inode,
            index: ChunkIndex::new(u32::MAX),
        }),
    }
}

fn cannot_be_asked(target: TargetId, error: FsError) -> String {
    format!("target {target} cannot be asked again: {error}")
}
