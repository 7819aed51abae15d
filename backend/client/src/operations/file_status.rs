//! What storage holds of a file.

use futures::{StreamExt, TryStreamExt, stream};
use sluice_types::{FsError, InodeId, Layout, TargetId};
use sluice_wire::storage::{FileStatus, StorageOperation, StorageOutcome};

use crate::Client;

impl Client {
    /// What each target of the file's layout holds of it, by ascending target.
    ///
    /// # Errors
    /// The first target's error.
    pub async fn file_status(
        &self,
        inode: InodeId,
        layout: &Layout,
    ) -> Result<Vec<(TargetId, FileStatus)>, FsError> {
        let targets = self.targets_of(layout)?;
        let statuses = targets
            .into_iter()
            .map(|target| self.status_on(inode, target));
        let statuses = stream::iter(statuses).buffered(self.config.pieces_per_call_max.max(1));
        statuses.try_collect().await
    }

    async fn status_on(
        &self,
        inode: InodeId,
        target: TargetId,
    ) -> Result<(TargetId, FileStatus), FsError> {
        let operation = StorageOperation::FileStatus { inode };
        match self.target_request(target, operation).await? {
            StorageOutcome::FileStatus(status) => Ok((target, status)),
            _ => Err(FsError::Internal),
        }
    }
}
