//! Makes a file system in an empty store, or recognizes the one that is there.

use std::sync::Arc;

use sluice_types::{Clock, FileSystemId, InodeId, Rng};

use super::fresh_inode;
use crate::config::MetaConfig;
use crate::error::MetaError;
use crate::kv::{Engine, Isolation};
use crate::operations::root_directory;
use crate::records::{FileSystemRecord, keys};

/// The file system in `engine`, made now if the store is empty. One transaction, so that a crash leaves
/// all of a new file system or nothing.
pub(super) async fn open(
    engine: &Arc<dyn Engine>,
    config: &MetaConfig,
    clock: &dyn Clock,
    rng: &dyn Rng,
) -> Result<FileSystemRecord, MetaError> {
    let mut transaction = engine.begin(Isolation::Serializable);
    if let Some(value) = transaction.get(&keys::file_system()).await? {
        return FileSystemRecord::decode(&value);
    }
    let record = FileSystemRecord {
        id: FileSystemId::new(rng.next_u64()),
        hash_key: rng.next_u128(),
    };
    let fresh = fresh_inode(InodeId::ROOT, rng);
    let root = root_directory(fresh, clock.now(), config.root_layout);
    transaction.put(keys::file_system(), record.encode());
    transaction.put(keys::inode(InodeId::ROOT), root.encode());
    transaction.add(keys::inode_count(), 1);
    let point = transaction.commit().await?;
    engine.durable(point).await?;
    tracing::info!(file_system = %record.id, "made a new file system");
    Ok(record)
}
