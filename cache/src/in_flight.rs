//! Fetches that are under way: of several readers that miss the same block, one fetches and the others wait for it.
//!
//! The first to come leads. A leader that fails or is dropped leaves no trace: those who waited for it try again and
//! one of them leads. Nobody waits for others before the fetches it leads are done, so that no two wait for each
//! other. Bounded by the readers: each has at most the blocks of its own range here.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use sluice_types::Payload;
use tokio::sync::watch;

use crate::BlockKey;

type Outcome = Option<Payload>;

/// The blocks being fetched.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    blocks: Arc<DashMap<BlockKey, watch::Receiver<Outcome>>>,
}

/// A reader's part in the fetch of a block.
pub(crate) enum Part {
    /// It is to fetch it.
    Leader(Leader),
    /// Another one fetches it.
    Follower(Follower),
}

impl InFlight {
    /// Takes part in the fetch of a block.
    pub(crate) fn join(&self, key: BlockKey) -> Part {
        match self.blocks.entry(key) {
            Entry::Occupied(entry) => Part::Follower(Follower(entry.get().clone())),
            Entry::Vacant(entry) => {
                let (outcome, receiver) = watch::channel(None);
                entry.insert(receiver);
                let blocks = Arc::clone(&self.blocks);
                Part::Leader(Leader {
                    blocks,
                    key,
                    outcome,
                })
            }
        }
    }
}

/// Whoever fetches a block for all.
pub(crate) struct Leader {
    blocks: Arc<DashMap<BlockKey, watch::Receiver<Outcome>>>,
    key: BlockKey,
    outcome: watch::Sender<Outcome>,
}

impl Leader {
    /// The block.
    pub(crate) fn key(&self) -> BlockKey {
        self.key
    }

    /// Gives the block to those who wait.
    pub(crate) fn complete(self, block: Payload) {
        self.outcome.send_replace(Some(block));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.blocks.remove(&self.key);
    }
}

/// Someone who waits for the leader.
pub(crate) struct Follower(watch::Receiver<Outcome>);

impl Follower {
    /// The block, or `None` if the leader gave up.
    pub(crate) async fn outcome(mut self) -> Outcome {
        match self.0.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        }
    }
}
