//! Frees a removed file's storage.

use std::time::Duration;

use futures::{StreamExt, stream};
use sluice_types::{FsError, InodeId, Layout, Payload, TargetId, TargetState};
use sluice_wire::storage::{StorageOperation, StorageOutcome};

use crate::Client;
use crate::route::Route;

impl Client {
    /// Removes all chunks of a file from all its targets, in parallel; durable when it returns. May be done again
    /// after an error.
    ///
    /// # Errors
    /// The first target's error, once all have been asked; [`FsError::Unavailable`] if one is out of service, or away
    /// until the deadline.
    pub async fn remove(&self, inode: InodeId, layout: &Layout) -> Result<(), FsError> {
        self.remove_within(self.config.deadline, inode, layout)
            .await
    }

    /// [`Client::remove`] with a deadline of its own. A target that the map says is out of service is not waited for: the
    /// others free what they have, and the file comes again.
    pub(crate) async fn remove_within(
        &self,
        deadline: Duration,
        inode: InodeId,
        layout: &Layout,
    ) -> Result<(), FsError> {
        let targets = self.targets_of(layout)?;
        let removals = targets
            .into_iter()
            .map(|target| self.remove_target(deadline, inode, target));
        let removals = stream::iter(removals);
        let removals = removals.buffer_unordered(self.config.pieces_per_call_max.max(1));
        let results: Vec<Result<(), FsError>> = removals.collect().await;
        results.into_iter().collect()
    }

    async fn remove_target(
        &self,
        deadline: Duration,
        inode: InodeId,
        target: TargetId,
    ) -> Result<(), FsError> {
        let map = self.map();
        let state = map.target(target).map(|target| target.state);
        if state == Some(TargetState::Offline) {
            return Err(FsError::Unavailable);
        }
        let operation = StorageOperation::Remove { inode };
        let route = Route::To(target);
        let answer = self
            .request_within(deadline, route, operation, Payload::new())
            .await?;
        match answer.outcome {
            StorageOutcome::Removed => Ok(()),
            _ => Err(FsError::Internal),
        }
    }
}
