//! Giving leases back: what the metadata service recalls is dropped or brought to an end.
//!
//! A loop waits for recalls. A read lease is given back at once: whatever was remembered under it is forgotten, answers
//! that are on their way are not remembered, and the next wait says so. A write lease is given back by ending the file's write
//! session, in a task of its own, since that needs storage and waits for the calls that use the file. When a new term of
//! leases begins (the service restarted, or another gateway came), everything is forgotten.
//!
//! The loop ends with the session. What was remembered is not served any more from then on
//! ([`crate::Backend::is_session_valid`]).

use std::sync::{Arc, Weak};
use std::time::Duration;

use sluice_types::{FsError, InodeId, LeaseTerm};
use sluice_wire::meta::{AwaitRecalls, LeaseKind, MetadataExt, Recalls};
use tokio::task::JoinHandle;

use crate::core::Core;

/// How long to wait before a metadata service that does not answer is asked again.
const RETRY: Duration = Duration::from_millis(100);

/// The loop; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct LeaseKeeper(JoinHandle<()>);

impl LeaseKeeper {
    pub(crate) fn start(core: &Arc<Core>) -> Self {
        Self(tokio::spawn(keep(Arc::downgrade(core))))
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep(core: Weak<Core>) {
    let Some(backend) = core.upgrade().map(|core| Arc::clone(&core.backend)) else {
        return;
    };
    let mut acknowledged = 0;
    let mut synced_term = backend.lease_term();
    loop {
        let wait = AwaitRecalls {
            acknowledged,
            synced_term,
        };
        let context = match core.upgrade() {
            Some(core) => core.as_gateway(),
            None => return,
        };
        let recalls = backend.meta().run(&context, wait).await;
        let Some(core) = core.upgrade() else {
            return;
        };
        match recalls {
            Ok(recalls) => {
                core.give_back(&recalls, synced_term);
                acknowledged = recalls.sequence;
                synced_term = recalls.term;
            }
            Err(FsError::SessionLapsed) => return,
            Err(error) => {
                tracing::debug!(%error, "recalls cannot be waited for now");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

impl Core {
    fn give_back(self: &Arc<Self>, recalls: &Recalls, synced_term: LeaseTerm) {
        if recalls.term > synced_term {
            self.attributes.forget_all();
            self.names.forget_all();
        }
        for recall in &recalls.recalls {
            match recall.kind {
                LeaseKind::Read => {
                    self.attributes.invalidate(&recall.inode);
                    self.names.forget_directory(recall.inode);
                    self.metrics.read_recalls.increment(1);
                }
                LeaseKind::Write => self.begin_giving_back(recall.inode),
            }
        }
    }

    /// Ends the writing of a file, unless that is being done already.
    fn begin_giving_back(self: &Arc<Self>, inode: InodeId) {
        if !self.giving_back.insert(inode) {
            return;
        }
        self.metrics.write_recalls.increment(1);
        let core = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = core.give_back_writing(inode).await {
                // Whoever wants the file asks again.
                tracing::debug!(%inode, %error, "a write lease could not be given back");
            }
            core.giving_back.remove(&inode);
        });
    }

    async fn give_back_writing(&self, inode: InodeId) -> Result<(), FsError> {
        let file = self.files.acquire(inode);
        let _guard = file.exclude().await;
        if file.is_removed() {
            return Ok(());
        }
        let _settled = self.settle_guarded(&file).await?;
        self.close_session(&file).await
    }
}
