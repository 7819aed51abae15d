//! Keeps retired blocks from being reused while a reader that planned before may still read them.
//!
//! A reader enters the current epoch under the shard lock under which it plans, and leaves when its
//! data is there. Runs retire into the epoch that is current when the index lets go of them, which
//! starts a new one; they are free when no reader of that epoch or an earlier one is left.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::allocator::{Allocator, Run};

#[derive(Debug)]
pub(crate) struct Epochs {
    allocator: Arc<Allocator>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the first epoch in the queue.
    first: u64,
    epochs: VecDeque<Epoch>,
}

#[derive(Debug, Default)]
struct Epoch {
    readers: usize,
    retired: Vec<Run>,
}

/// A reader's stay in an epoch.
#[derive(Debug)]
pub(crate) struct Reading {
    epochs: Arc<Epochs>,
    epoch: u64,
}

impl Epochs {
    pub(crate) fn new(allocator: Arc<Allocator>) -> Arc<Self> {
        let mut state = State::default();
        state.epochs.push_back(Epoch::default());
        Arc::new(Self {
            allocator,
            state: Mutex::new(state),
        })
    }

    /// What the caller finds in the index from now on stays readable until it drops this.
    pub(crate) fn enter(self: &Arc<Self>) -> Reading {
        let mut state = self.state.lock();
        let epoch = state.first + state.epochs.len() as u64 - 1;
        if let Some(current) = state.epochs.back_mut() {
            current.readers += 1;
        }
        Reading {
            epochs: Arc::clone(self),
            epoch,
        }
    }

    /// Frees runs that the index no longer has, as soon as no reader can be on them.
    pub(crate) fn retire(&self, runs: Vec<Run>) {
        if runs.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        if let Some(current) = state.epochs.back_mut() {
            current.retired.extend(runs);
        }
        state.epochs.push_back(Epoch::default());
        self.release(&mut state);
    }

    /// Looks at all runs that wait for readers, while none is freed.
    pub(crate) fn with_waiting<T>(&self, look: impl FnOnce(&[Run]) -> T) -> T {
        let state = self.state.lock();
        let runs = state.epochs.iter().flat_map(|epoch| epoch.retired.iter());
        look(&runs.copied().collect::<Vec<Run>>())
    }

    fn leave(&self, epoch: u64) {
        let mut state = self.state.lock();
        let index = (epoch - state.first) as usize;
        state.epochs[index].readers -= 1;
        self.release(&mut state);
    }

    fn release(&self, state: &mut State) {
        while state.epochs.len() > 1 && state.epochs.front().is_some_and(|epoch| epoch.readers == 0)
        {
            if let Some(epoch) = state.epochs.pop_front() {
                state.first += 1;
                self.allocator.free(&epoch.retired);
            }
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.epochs.leave(self.epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_free_only_when_earlier_readers_left() {
        let allocator = Arc::new(Allocator::new(64));
        allocator.add_slab();
        let runs = allocator.allocate(8, 0).unwrap();
        allocator.settle(&runs);
        let epochs = Epochs::new(Arc::clone(&allocator));
        let (early, also_early) = (epochs.enter(), epochs.enter());
        epochs.retire(runs);
        let late = epochs.enter();
        drop(early);
        assert_eq!(allocator.usage().free, 56);
        assert_eq!(epochs.with_waiting(<[Run]>::len), 1);
        drop(also_early);
        assert_eq!(allocator.usage().free, 64, "a later reader does not matter");
        drop(late);
    }
}
