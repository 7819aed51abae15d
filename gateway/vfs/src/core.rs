//! What all operations work on, and how they ask the metadata service. A core is one session's life: what is remembered,
//! and which files are being written, goes with it.

use std::future::Future;
use std::sync::Arc;

use dashmap::DashSet;
use parking_lot::Mutex;
use sluice_cache::{AttributeCache, BlockCache, Change, NameCache, NameEntry};
use sluice_types::{Clock, FileName, FileSystemId, FsError, Inode, InodeId};
use sluice_wire::meta::{CallContext, MetaOperation, MetadataExt};
use tokio::sync::Semaphore;

use crate::backend::Backend;
use crate::file_table::FileTable;
use crate::metrics::VfsMetrics;
use crate::operations::StatusMemory;
use crate::read_ahead::ReadAhead;
use crate::{Caller, VfsConfig};

/// At most so many uncertain changes are remembered; the oldest ones end early.
const UNCERTAIN_MAX: usize = 16_384;

/// What all operations work on.
pub(crate) struct Core {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) blocks: Arc<BlockCache>,
    pub(crate) attributes: AttributeCache,
    pub(crate) names: NameCache,
    pub(crate) files: FileTable,
    pub(crate) sessions: Arc<Semaphore>,
    /// Places for background work on storage.
    pub(crate) storage_work: Arc<Semaphore>,
    pub(crate) read_ahead: ReadAhead,
    pub(crate) status: tokio::sync::Mutex<StatusMemory>,
    pub(crate) config: VfsConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: VfsMetrics,
    pub(crate) file_system: FileSystemId,
    /// Files whose write lease is being given back.
    pub(crate) giving_back: DashSet<InodeId>,
    /// Changes of which it is not known whether they were carried out, and until when (monotonic) they may still be.
    uncertain: Mutex<Vec<(std::time::Duration, Vec<Change>)>>,
}

impl Core {
    pub(crate) fn new(
        backend: Arc<dyn Backend>,
        blocks: Arc<BlockCache>,
        config: VfsConfig,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            file_system: backend.map().file_system,
            blocks,
            attributes: AttributeCache::with_budget(config.attribute_cache_bytes),
            names: NameCache::with_budget(config.name_cache_bytes),
            files: FileTable::default(),
            sessions: Arc::new(Semaphore::new(config.sessions_max)),
            storage_work: Arc::new(Semaphore::new(config.storage_work_in_flight_max)),
            read_ahead: ReadAhead::new(&config),
            status: tokio::sync::Mutex::default(),
            clock,
            metrics: VfsMetrics::new(),
            giving_back: DashSet::new(),
            uncertain: Mutex::default(),
            config,
            backend,
        }
    }

    /// Runs a change to its end even if whoever asked for it goes away: a call that was started is carried out, and
    /// what guards it is held until then.
    pub(crate) async fn detached<T: Send + 'static>(
        work: impl Future<Output = Result<T, FsError>> + Send + 'static,
    ) -> Result<T, FsError> {
        match tokio::spawn(work).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "an operation ended abnormally");
                Err(FsError::Internal)
            }
        }
    }

    /// In whose name the metadata service is asked for a caller's own operation.
    pub(crate) fn as_caller(&self, caller: &Caller) -> CallContext {
        CallContext {
            credentials: caller.credentials.clone(),
            session: self.backend.session(),
            call: caller.call.clone(),
            lease: false,
        }
    }

    /// In whose name the metadata service is asked for what is not the caller's operation itself, but is part of it.
    pub(crate) fn as_helper(&self, caller: &Caller) -> CallContext {
        CallContext {
            call: None,
            ..self.as_caller(caller)
        }
    }

    /// In whose name the gateway does its own work.
    pub(crate) fn as_gateway(&self) -> CallContext {
        CallContext {
            session: self.backend.session(),
            ..CallContext::internal()
        }
    }

    /// The same for asking what will be remembered, under a lease.
    pub(crate) fn leasing(context: CallContext) -> CallContext {
        CallContext {
            lease: true,
            ..context
        }
    }

    /// An inode that is remembered, while the session that holds its lease is valid.
    pub(crate) fn remembered(&self, inode: InodeId) -> Option<Inode> {
        let node = self.attributes.get(&inode)?;
        self.backend.is_session_valid().then_some(node)
    }

    /// A name that is remembered, likewise.
    pub(crate) fn remembered_name(&self, key: &(InodeId, FileName)) -> Option<NameEntry> {
        let entry = self.names.get(key)?;
        self.backend.is_session_valid().then_some(entry)
    }

    /// Asks the metadata service for something that changes nothing.
    pub(crate) async fn ask<O: MetaOperation>(
        &self,
        context: &CallContext,
        operation: O,
    ) -> Result<O::Outcome, FsError> {
        self.backend.meta().run(context, operation).await
    }

    /// Has the metadata service carry out something that makes `changes`. They end when it answered. If it is not known
    /// whether it did, they go on until it can no longer come.
    pub(crate) async fn change<O: MetaOperation>(
        &self,
        context: &CallContext,
        operation: O,
        changes: Vec<Change>,
    ) -> Result<O::Outcome, FsError> {
        let result = self.backend.meta().run(context, operation).await;
        if let Err(FsError::Unavailable | FsError::Internal) = result {
            for change in &changes {
                change.forget();
            }
            let until = self.clock.monotonic() + self.config.uncertain_change;
            let mut uncertain = self.uncertain.lock();
            if uncertain.len() >= UNCERTAIN_MAX {
                uncertain.remove(0);
            }
            uncertain.push((until, changes));
        }
        result
    }

    /// Ends uncertain changes whose time is over.
    pub(crate) fn end_uncertain_changes(&self) {
        let now = self.clock.monotonic();
        self.uncertain.lock().retain(|(until, _)| *until > now);
    }

    /// Says that an inode's attributes are about to change.
    pub(crate) fn changing(&self, inode: InodeId) -> Change {
        self.attributes.begin_change(&inode)
    }
}
