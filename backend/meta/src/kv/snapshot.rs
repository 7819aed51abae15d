//! The durable part of a store as it was at one moment, as an engine of its own that nobody changes.

use std::sync::Arc;

use async_trait::async_trait;

use super::group_commit::{Base, GroupCommit};
use super::{CommitPoint, Engine, Isolation, KvError, Transaction};

/// A store that stays as it is. What a transaction on it would write goes nowhere but into this view.
#[derive(Debug)]
pub(super) struct Snapshot<B> {
    shared: Arc<GroupCommit<B>>,
}

impl<B: Base> Snapshot<B> {
    /// A view of `base`, which must not change any more.
    pub(super) fn of(base: B) -> Arc<dyn Engine> {
        Arc::new(Self {
            shared: Arc::new(GroupCommit::new(base)),
        })
    }
}

#[async_trait]
impl<B: Base> Engine for Snapshot<B> {
    fn begin(&self, isolation: Isolation) -> Box<dyn Transaction> {
        Box::new(self.shared.begin(isolation))
    }

    fn is_durable(&self, _: CommitPoint) -> bool {
        true
    }

    async fn durable(&self, _: CommitPoint) -> Result<(), KvError> {
        Ok(())
    }

    fn failure(&self) -> Option<String> {
        None
    }

    fn snapshot(&self) -> Arc<dyn Engine> {
        Arc::new(Self {
            shared: Arc::clone(&self.shared),
        })
    }
}
