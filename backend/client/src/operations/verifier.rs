//! The write verifier of a file.

use sluice_types::{BootId, FsError, Layout, Payload, TargetId, WriteVerifier};
use sluice_wire::storage::StorageOperation;

use crate::Client;
use crate::route::Route;

impl Client {
    /// The verifier of a file with this layout, by what its targets last said.
    ///
    /// # Errors
    /// [`FsError::Unavailable`] if a target that was never heard of is away.
    pub async fn verifier(&self, layout: &Layout) -> Result<WriteVerifier, FsError> {
        self.verifier_after(layout, &[]).await
    }

    /// The verifier after an operation whose own replies came from these targets in these boots.
    pub(crate) async fn verifier_after(
        &self,
        layout: &Layout,
        own: &[(TargetId, BootId)],
    ) -> Result<WriteVerifier, FsError> {
        let targets = self.targets_of(layout)?;
        loop {
            let unheard = match self.boots.verifier(&targets, own) {
                Ok(verifier) => return Ok(verifier),
                Err(target) => target,
            };
            let operation = StorageOperation::TargetStatus;
            let answer = self
                .request(Route::To(unheard), operation, Payload::new())
                .await?;
            if self.boots.known(unheard).is_none() {
                tracing::error!(target = %unheard, boot = %answer.boot, "a reply without a boot");
                return Err(FsError::Internal);
            }
        }
    }
}
