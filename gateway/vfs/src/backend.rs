//! What the file service needs of the cluster: the metadata service and the striping client, behind one trait, so that tests
//! can stand in for them and inject what goes wrong.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_client::{CommitReceipt, CommitScope, WriteReceipt};
use sluice_types::{
    ByteRange, ClusterMap, FsError, InodeId, Layout, LeaseTerm, Payload, SessionId, Stability,
    TargetId, WriteVerifier,
};
use sluice_wire::meta::Metadata;
use sluice_wire::storage::TargetStatus;

/// The cluster as the file service uses it, in one session's name.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The metadata service.
    fn meta(&self) -> &Arc<dyn Metadata>;

    /// The gateway's session with it: always the same. Everything is done in its name.
    fn session(&self) -> SessionId;

    /// Whether the session has surely not ended.
    fn is_session_valid(&self) -> bool;

    /// Whether it is known that the session has ended.
    fn has_session_ended(&self) -> bool;

    /// The term of leases in which the session was opened.
    fn lease_term(&self) -> LeaseTerm;

    /// Renews the session now, so that nothing of sessions that ended before comes after what is asked of storage from now on.
    async fn renew_session(&self) -> Result<(), FsError>;

    /// The cluster map in force.
    fn map(&self) -> Arc<ClusterMap>;

    /// Reads exactly the range; holes are zeros.
    async fn read(
        &self,
        inode: InodeId,
        layout: &Layout,
        range: ByteRange,
    ) -> Result<Payload, FsError>;

    /// Writes all of `payload` at `offset`. After an error any part of it may have been written.
    async fn write(
        &self,
        inode: InodeId,
        layout: &Layout,
        offset: u64,
        payload: Payload,
        stability: Stability,
    ) -> Result<WriteReceipt, FsError>;

    /// Makes unstable data durable.
    async fn commit(
        &self,
        inode: InodeId,
        layout: &Layout,
        scope: CommitScope,
    ) -> Result<CommitReceipt, FsError>;

    /// Cuts the file's data to `size_bytes`, durably.
    async fn truncate(
        &self,
        inode: InodeId,
        layout: &Layout,
        size_bytes: u64,
    ) -> Result<(), FsError>;

    /// The verifier of the file's targets.
    async fn verifier(&self, layout: &Layout) -> Result<WriteVerifier, FsError>;

    /// How a target is.
    async fn target_status(&self, target: TargetId) -> Result<TargetStatus, FsError>;
}
