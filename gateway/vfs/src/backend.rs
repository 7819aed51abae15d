//! What the file service needs of the cluster: the metadata service and the striping client, behind one trait, so that tests
//! can stand in for them and inject what goes wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use sluice_types::{
    ByteRange, ClusterMap, FsError, InodeId, Layout, Payload, SessionId, Stability, TargetId,
    WriteVerifier,
};
use sluice_wire::meta::Metadata;
use sluice_wire::storage::TargetStatus;

/// A write that storage took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteReceipt {
    /// The targets that got some of it.
    pub targets: Vec<TargetId>,
    /// The verifier of the file's targets, the replies to this write included.
    pub verifier: WriteVerifier,
}

/// Whom a commit asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitScope {
    /// Every target of the file's layout.
    All,
    /// These targets.
    Only(BTreeSet<TargetId>),
}

/// A commit that storage carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitReceipt {
    /// The verifier of the file's targets, the replies to this commit included.
    pub verifier: WriteVerifier,
    /// Where the file's data ends, as far as the targets asked know.
    pub end_bytes: u64,
    /// Space that the file takes, if all its targets were asked.
    pub allocated_bytes: Option<u64>,
}

/// The cluster as the file service uses it.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The metadata service.
    fn meta(&self) -> &Arc<dyn Metadata>;

    /// The gateway's session with it.
    fn session(&self) -> SessionId;

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
