//! The striping client as the file service's backend.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use sluice_client::{Client, CommitReceipt, CommitScope, WriteReceipt};
use sluice_types::{
    ByteRange, ClusterMap, FsError, InodeId, Layout, Payload, SessionId, Stability, TargetId,
    WriteVerifier,
};
use sluice_wire::meta::Metadata;
use sluice_wire::storage::{StorageOperation, StorageOutcome, TargetStatus};

use crate::Backend;

#[async_trait]
impl Backend for Client {
    fn meta(&self) -> &Arc<dyn Metadata> {
        self.meta()
    }

    fn session(&self) -> SessionId {
        self.session()
    }

    fn map(&self) -> Arc<ClusterMap> {
        self.map()
    }

    async fn read(
        &self,
        inode: InodeId,
        layout: &Layout,
        range: ByteRange,
    ) -> Result<Payload, FsError> {
        self.read(inode, layout, range).await
    }

    async fn write(
        &self,
        inode: InodeId,
        layout: &Layout,
        offset: u64,
        payload: Payload,
        stability: Stability,
    ) -> Result<WriteReceipt, FsError> {
        self.write(inode, layout, offset, payload, stability).await
    }

    async fn commit(
        &self,
        inode: InodeId,
        layout: &Layout,
        scope: CommitScope,
    ) -> Result<CommitReceipt, FsError> {
        let map = self.map();
        let all = map.targets_of(layout);
        let asked: Vec<TargetId> = match scope {
            CommitScope::All => all.clone(),
            CommitScope::Only(only) => only.into_iter().filter(|one| all.contains(one)).collect(),
        };
        let everywhere = asked.len() == all.len();
        let outcomes = ask_all(self, asked, StorageOperation::Commit { inode }).await?;
        let mut receipt = CommitReceipt {
            verifier: self.verifier(layout).await?,
            end_bytes: 0,
            allocated_bytes: everywhere.then_some(0),
        };
        for outcome in outcomes {
            let StorageOutcome::Committed(status) = outcome else {
                return Err(FsError::Internal);
            };
            let end = status.end.map_or(0, |(chunk, length)| {
                u64::from(chunk.raw()) * u64::from(layout.chunk_size.bytes()) + u64::from(length)
            });
            receipt.end_bytes = receipt.end_bytes.max(end);
            receipt.allocated_bytes = receipt
                .allocated_bytes
                .map(|allocated| allocated + status.allocated_bytes);
        }
        Ok(receipt)
    }

    async fn truncate(
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
        let targets = self.map().targets_of(layout);
        ask_all(self, targets, operation).await.map(drop)
    }

    async fn verifier(&self, layout: &Layout) -> Result<WriteVerifier, FsError> {
        self.verifier(layout).await
    }

    async fn target_status(&self, target: TargetId) -> Result<TargetStatus, FsError> {
        self.target_status(target).await
    }
}

/// Asks all of `targets`, in parallel; an error only after all have answered, so that nothing is under way any more.
async fn ask_all(
    client: &Client,
    targets: Vec<TargetId>,
    operation: StorageOperation,
) -> Result<Vec<StorageOutcome>, FsError> {
    let asked = targets
        .into_iter()
        .map(|target| client.target_request(target, operation.clone()));
    join_all(asked).await.into_iter().collect()
}
