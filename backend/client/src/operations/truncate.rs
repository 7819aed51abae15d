//! Cuts a file.

use futures::{StreamExt, stream};
use sluice_types::{FsError, InodeId, Layout, Payload, TargetId};
use sluice_wire::storage::{StorageOperation, StorageOutcome};

use crate::Client;
use crate::route::Route;

impl Client {
    /// Cuts a file's data to `size_bytes` on all its targets, in parallel; durable when it returns. May be done
    /// again after an error.
    ///
    /// # Errors
    /// The first target's error, once all have been asked; [`FsError::Unavailable`] if one is away until the
    /// deadline.
    pub async fn truncate(
        &self,
        inode: InodeId,
        layout: &Layout,
        size_bytes: u64,
    ) -> Result<(), FsError> {
        let (chunk, length) = layout.locate(size_bytes)?;
        let operation = StorageOperation::Truncate {
            inode,
            chunk,
            length,
        };
        let targets = self.targets_of(layout)?;
        let cuts = targets
            .into_iter()
            .map(|target| self.truncate_target(target, operation.clone()));
        let cuts = stream::iter(cuts).buffer_unordered(self.config.pieces_per_call_max.max(1));
        let results: Vec<Result<(), FsError>> = cuts.collect().await;
        results.into_iter().collect()
    }

    async fn truncate_target(
        &self,
        target: TargetId,
        operation: StorageOperation,
    ) -> Result<(), FsError> {
        let answer = self
            .request(Route::To(target), operation, Payload::new())
            .await?;
        match answer.outcome {
            StorageOutcome::Truncated => Ok(()),
            _ => Err(FsError::Internal),
        }
    }
}
