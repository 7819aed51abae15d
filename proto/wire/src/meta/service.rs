//! The trait through which metadata operations are asked for.

use async_trait::async_trait;
use sluice_types::{CallId, Credentials, FsError, SessionId};

use super::{MetaOperation, Operation, Outcome};

/// Who asks for an operation, and on whose behalf.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The user, after squash: decides permissions in the operation's transaction.
    pub credentials: Credentials,
    /// The gateway's session; `SessionId::new(0)` for administration and for cluster members.
    pub session: SessionId,
    /// The client's call that this operation carries out, if it must not be done twice.
    pub call: Option<CallId>,
    /// Whether the asker wants a read lease, to answer from memory from now on. Given to sessions that hold leases, with
    /// [`super::GetInode`] of the inode, with [`super::Lookup`] of the directory.
    pub lease: bool,
}

impl CallContext {
    /// The cluster's own work: superuser, no session, no client's call.
    pub fn internal() -> Self {
        Self {
            credentials: Credentials::root(),
            session: SessionId::new(0),
            call: None,
            lease: false,
        }
    }
}

/// The metadata service.
#[async_trait]
pub trait Metadata: Send + Sync {
    /// Carries out one operation. When it returns `Ok`, the operation's effect is durable, and so is
    /// everything its outcome shows.
    ///
    /// # Errors
    /// Whatever the operation's docs name, and [`FsError::Unavailable`] when the service cannot be
    /// reached: then it is not known whether the operation was carried out.
    async fn call(&self, context: &CallContext, operation: Operation) -> Result<Outcome, FsError>;
}

/// Typed calls: the outcome's type follows from the operation's.
#[async_trait]
pub trait MetadataExt {
    /// Carries out `operation`; see [`Metadata::call`].
    ///
    /// # Errors
    /// Those of [`Metadata::call`].
    async fn run<O: MetaOperation>(
        &self,
        context: &CallContext,
        operation: O,
    ) -> Result<O::Outcome, FsError>;
}

#[async_trait]
impl<M: Metadata + ?Sized> MetadataExt for M {
    async fn run<O: MetaOperation>(
        &self,
        context: &CallContext,
        operation: O,
    ) -> Result<O::Outcome, FsError> {
        let outcome = self.call(context, operation.into()).await?;
        // An outcome of another kind can only come from a peer of another version.
        O::outcome(outcome).ok_or(FsError::Internal)
    }
}
