//! Asks one target anything that has no payload: for administration and checks.

use std::time::Duration;

use sluice_types::{FsError, Payload, TargetId};
use sluice_wire::storage::{StorageOperation, StorageOutcome, TargetStatus};

use crate::Client;
use crate::route::Route;

impl Client {
    /// Carries out `operation` on `target`.
    ///
    /// # Errors
    /// The target's; [`FsError::Unavailable`] if it is away until the deadline; [`FsError::Invalid`] for a read or
    /// write, which have a payload.
    pub async fn target_request(
        &self,
        target: TargetId,
        operation: StorageOperation,
    ) -> Result<StorageOutcome, FsError> {
        self.target_request_within(self.config.deadline, target, operation)
            .await
    }

    /// [`Client::target_request`] with a deadline of its own, for what takes long (scrub, check) or must not.
    ///
    /// # Errors
    /// Those of [`Client::target_request`].
    pub async fn target_request_within(
        &self,
        deadline: Duration,
        target: TargetId,
        operation: StorageOperation,
    ) -> Result<StorageOutcome, FsError> {
        let has_payload = matches!(
            operation,
            StorageOperation::Read { .. } | StorageOperation::Write { .. }
        );
        if has_payload {
            return Err(FsError::Invalid);
        }
        let route = Route::To(target);
        let answer = self
            .request_within(deadline, route, operation, Payload::new())
            .await?;
        Ok(answer.outcome)
    }

    /// How a target is.
    ///
    /// # Errors
    /// Those of [`Client::target_request`].
    pub async fn target_status(&self, target: TargetId) -> Result<TargetStatus, FsError> {
        match self
            .target_request(target, StorageOperation::TargetStatus)
            .await?
        {
            StorageOutcome::TargetStatus(status) => Ok(status),
            _ => Err(FsError::Internal),
        }
    }
}
