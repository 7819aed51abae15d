//! The striping client as the file service's backend.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_client::{Client, CommitReceipt, CommitScope, WriteReceipt};
use sluice_types::{
    ByteRange, ClusterMap, FsError, InodeId, Layout, LeaseTerm, Payload, SessionId, Stability,
    TargetId, WriteVerifier,
};
use sluice_wire::meta::Metadata;
use sluice_wire::storage::TargetStatus;

use crate::Backend;

#[async_trait]
impl Backend for Client {
    fn meta(&self) -> &Arc<dyn Metadata> {
        self.meta()
    }

    fn session(&self) -> SessionId {
        self.session()
    }

    fn is_session_valid(&self) -> bool {
        self.is_session_valid()
    }

    fn has_session_ended(&self) -> bool {
        self.has_session_ended()
    }

    fn lease_term(&self) -> LeaseTerm {
        self.lease_term()
    }

    async fn renew_session(&self) -> Result<(), FsError> {
        self.renew_session().await
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
        self.commit(inode, layout, scope).await
    }

    async fn truncate(
        &self,
        inode: InodeId,
        layout: &Layout,
        size_bytes: u64,
    ) -> Result<(), FsError> {
        self.truncate(inode, layout, size_bytes).await
    }

    async fn verifier(&self, layout: &Layout) -> Result<WriteVerifier, FsError> {
        self.verifier(layout).await
    }

    async fn target_status(&self, target: TargetId) -> Result<TargetStatus, FsError> {
        self.target_status(target).await
    }
}
