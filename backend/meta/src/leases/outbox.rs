//! Recalls on their way to one session, in order, until it acknowledges them.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use sluice_types::InodeId;
use sluice_wire::meta::{LeaseKind, Recall};
use tokio::sync::{Notify, watch};

use super::{LEASES_PER_SESSION_MAX, RECALLS_MAX};

/// Recalls on their way to one session.
#[derive(Debug, Default)]
pub struct Outbox {
    state: Mutex<State>,
    /// Woken when there is something to tell.
    filled: Notify,
    /// The last recall that was acknowledged.
    acknowledged: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The last number given.
    sequence: u64,
    queue: VecDeque<(u64, Recall)>,
    /// The write leases among them, which would otherwise be recalled once for each who waits.
    writes: HashMap<InodeId, u64>,
    /// Inodes with read leases, the oldest grant first; some are given back already.
    granted: VecDeque<InodeId>,
}

impl Outbox {
    /// Queues a recall; its number. A write lease that is being recalled already is not recalled again.
    pub(super) fn push(&self, recall: Recall) -> u64 {
        let mut state = self.state.lock();
        if recall.kind == LeaseKind::Write
            && let Some(sequence) = state.writes.get(&recall.inode)
        {
            return *sequence;
        }
        state.sequence += 1;
        let sequence = state.sequence;
        if recall.kind == LeaseKind::Write {
            state.writes.insert(recall.inode, sequence);
        }
        state.queue.push_back((sequence, recall));
        drop(state);
        self.filled.notify_one();
        sequence
    }

    /// What is to be told now, with the number of the last.
    pub fn told(&self) -> Option<(u64, Vec<Recall>)> {
        let state = self.state.lock();
        let batch = state.queue.iter().take(RECALLS_MAX);
        let (last, _) = *batch.clone().next_back()?;
        Some((last, batch.map(|(_, recall)| *recall).collect()))
    }

    /// Waits until something may be to be told.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Takes out what was acknowledged.
    pub(super) fn take_acknowledged(&self, sequence: u64) -> Vec<(u64, Recall)> {
        let mut state = self.state.lock();
        let count = state
            .queue
            .partition_point(|(number, _)| *number <= sequence);
        let taken: Vec<_> = state.queue.drain(..count).collect();
        for (_, recall) in &taken {
            if recall.kind == LeaseKind::Write {
                state.writes.remove(&recall.inode);
            }
        }
        taken
    }

    /// Wakes those who wait for it.
    pub(super) fn announce_acknowledged(&self, sequence: u64) {
        let sequence = sequence.min(self.state.lock().sequence);
        self.acknowledged.send_if_modified(|known| {
            let is_newer = sequence > *known;
            *known = sequence.max(*known);
            is_newer
        });
    }

    /// Waits until recall `sequence` is acknowledged.
    pub async fn acknowledged(&self, sequence: u64) {
        let mut acknowledged = self.acknowledged.subscribe();
        // The sender lives as long as this.
        let _ = acknowledged.wait_for(|known| *known >= sequence).await;
    }

    /// Notes a lease; an older one to be recalled for it, if there are too many.
    pub(super) fn note_granted(&self, inode: InodeId) -> Option<InodeId> {
        let mut state = self.state.lock();
        state.granted.push_back(inode);
        let is_full = state.granted.len() > LEASES_PER_SESSION_MAX;
        is_full.then(|| state.granted.pop_front()).flatten()
    }

    /// All inodes that leases were noted of; some are given back already.
    pub(super) fn granted(&self) -> Vec<InodeId> {
        self.state.lock().granted.iter().copied().collect()
    }
}
