//! Where a file's chunks lie.

use anyhow::{Context as _, bail};
use serde::Serialize;
use sluice_types::{ChunkId, ChunkIndex, FileKind, Inode, InodeId, MapVersion, Target};
use sluice_wire::meta::{CallContext, GetMap, MetadataExt as _};
use sluice_wire::storage::{ChunkStatus, StorageOperation, StorageOutcome};

use super::Cluster;

/// Where a file's chunks lie, as its targets say.
#[derive(Clone, Debug, Serialize)]
pub struct FileLayout {
    /// The path that was asked for.
    pub path: String,
    /// The inode's number.
    pub inode: u64,
    /// `file` or `directory`; a directory's layout is what its new files get.
    pub kind: &'static str,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Size of a chunk, in bytes.
    pub chunk_bytes: u32,
    /// Over how many placement groups it is spread at most.
    pub stripe_width: u32,
    /// Copies of each chunk.
    pub replicas: u32,
    /// The share of each target that may hold chunks of it.
    pub targets: Vec<TargetShare>,
}

/// What a target holds of a file.
#[derive(Clone, Debug, Serialize)]
pub struct TargetShare {
    /// The target's number.
    pub target: u32,
    /// Where its daemon is; empty in the same process.
    pub address: String,
    /// Number of chunks.
    pub chunks: u64,
    /// Bytes of the file in them.
    pub bytes: u64,
    /// Space they take, in bytes.
    pub allocated_bytes: u64,
}

/// Asks the targets of `path`, a path from the file system's root, what they hold of it.
///
/// # Errors
/// If there is no such path, it is neither file nor directory, or a target does not answer.
pub async fn file_layout(cluster: &Cluster, path: &str) -> anyhow::Result<FileLayout> {
    let node = cluster.resolve(path).await?;
    let kind = match node.attributes.kind {
        FileKind::Regular => "file",
        FileKind::Directory => "directory",
        _ => bail!("{path} is neither a file nor a directory: it has no layout"),
    };
    let mut targets = Vec::new();
    if node.attributes.kind == FileKind::Regular {
        let (context, known) = (CallContext::internal(), MapVersion::new(0));
        let map = cluster.meta.run(&context, GetMap { known }).await;
        let map = map.context("the cluster map cannot be read")?;
        let holders = map.targets_of(&node.layout);
        for target in holders.into_iter().filter_map(|id| map.target(id)) {
            targets.push(share(cluster, target, node.id).await?);
        }
    }
    Ok(described(path, &node, kind, targets))
}

fn described(
    path: &str,
    node: &Inode,
    kind: &'static str,
    targets: Vec<TargetShare>,
) -> FileLayout {
    FileLayout {
        path: path.to_owned(),
        inode: node.id.raw(),
        kind,
        size_bytes: node.attributes.size_bytes,
        chunk_bytes: node.layout.chunk_size.bytes(),
        stripe_width: node.layout.stripe_width.groups(),
        replicas: node.layout.replicas.copies(),
        targets,
    }
}

async fn share(cluster: &Cluster, target: &Target, inode: InodeId) -> anyhow::Result<TargetShare> {
    let mut share = TargetShare {
        target: target.id.raw(),
        address: target.address.clone(),
        chunks: 0,
        bytes: 0,
        allocated_bytes: 0,
    };
    let mut after = before_first_chunk(inode);
    loop {
        let (chunks, end) = page(cluster, target, after).await?;
        for chunk in &chunks {
            if chunk.chunk.inode != inode {
                return Ok(share);
            }
            share.chunks += 1;
            share.bytes += u64::from(chunk.length);
            share.allocated_bytes += chunk.allocated_bytes;
            after = Some(chunk.chunk);
        }
        if end || chunks.is_empty() {
            return Ok(share);
        }
    }
}

/// Where a list must go on to begin with the file's first chunk.
fn before_first_chunk(inode: InodeId) -> Option<ChunkId> {
    let inode = InodeId::new(inode.raw() - 1)?;
    let index = ChunkIndex::new(u32::MAX);
    Some(ChunkId { inode, index })
}

async fn page(
    cluster: &Cluster,
    target: &Target,
    after: Option<ChunkId>,
) -> anyhow::Result<(Vec<ChunkStatus>, bool)> {
    const CHUNKS_A_PAGE: u32 = 1024;
    let limit = CHUNKS_A_PAGE;
    match cluster
        .ask(target, StorageOperation::List { after, limit })
        .await
    {
        Ok(StorageOutcome::List { chunks, end }) => Ok((chunks, end)),
        Ok(_) => bail!(
            "target {} answered something else than was asked",
            target.id
        ),
        Err(why) => bail!("target {} cannot list its chunks: {why}", target.id),
    }
}
