//! Reading what a target has stored, to find damage before a file's reader does.

use std::time::Duration;

use sluice_types::{ChunkId, FsError, TargetId};
use sluice_wire::storage::{ScrubStep, StorageOperation, StorageOutcome};

use crate::Client;

/// Bytes that a target reads in a step: seconds at most, also beside other work.
const STEP_BYTES: u64 = 64 << 20;
/// How long a step may take: a disk with bad sectors tries each of them for long.
const STEP_DEADLINE: Duration = Duration::from_secs(120);

impl Client {
    /// Verifies some of what `target` has stored, from the chunk after `after` on; [`ScrubStep::next`] is where to go on.
    ///
    /// # Errors
    /// Those of [`Client::target_request`].
    pub async fn scrub_step(
        &self,
        target: TargetId,
        after: Option<ChunkId>,
    ) -> Result<ScrubStep, FsError> {
        let operation = StorageOperation::Scrub {
            after,
            budget_bytes: STEP_BYTES,
        };
        let asked = self.target_request_within(STEP_DEADLINE, target, operation);
        match asked.await? {
            StorageOutcome::Scrub(step) => Ok(step),
            _ => Err(FsError::Internal),
        }
    }
}
