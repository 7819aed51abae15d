//! Giving a directory another layout for its new files.

use anyhow::{Context as _, bail};
use sluice_types::{ChunkSize, FileKind, Inode, StripeWidth};
use sluice_wire::meta::{CallContext, MetadataExt as _, SetLayout};

use super::Cluster;
use crate::config::ByteSize;

/// What changes of a directory's layout.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayoutChange {
    /// The size of a chunk.
    pub chunk_size: Option<ByteSize>,
    /// Over how many placement groups a file is spread.
    pub stripe_width: Option<u32>,
}

/// Sets the layout of what is made in the directory `path` from now on; what is there keeps its own.
///
/// # Errors
/// If `path` is no directory, a value is out of its range, or the metadata service refuses.
pub async fn set_layout(
    cluster: &Cluster,
    path: &str,
    change: LayoutChange,
) -> anyhow::Result<Inode> {
    let node = cluster.resolve(path).await?;
    if node.attributes.kind != FileKind::Directory {
        bail!("{path} is not a directory: a file keeps the layout it was made with");
    }
    let mut layout = node.layout;
    if let Some(size) = change.chunk_size {
        let bytes = u32::try_from(size.bytes()).unwrap_or(u32::MAX);
        layout.chunk_size = ChunkSize::new(bytes).with_context(|| {
            format!("the chunk size {size} is no power of two from 64KiB to 64MiB")
        })?;
    }
    if let Some(width) = change.stripe_width {
        layout.stripe_width = StripeWidth::new(width)
            .with_context(|| format!("the stripe width {width} is not from 1 to 1024"))?;
    }
    let set = SetLayout {
        directory: node.id,
        layout,
    };
    let changed = cluster.meta.run(&CallContext::internal(), set).await;
    Ok(changed
        .with_context(|| format!("the layout of {path} cannot be set"))?
        .after)
}
