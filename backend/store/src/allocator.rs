//! Who owns which slab block.
//!
//! One bit per block, in pages of one slab. Allocation goes round a slab (next fit), then to the slab with
//! the most free blocks, so its cost does not grow with the number of chunks. Nothing of this is on
//! disk: recovery marks what the index uses.
//!
//! A block is free, *unsettled* (allocated, not yet in the index), used (in the index), or *retired*
//! (no longer in the index, but a reader that started before may still be on its way to it). Blocks are
//! retired only once the log frame that lets go of them is durable.
//!
//! Space is promised before it is allocated: `reserved` counts blocks that dirty memory will need.
//! `try_reserve` keeps a few blocks back, so that cutting files works on a full disk.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;

use crate::StoreError;
use crate::format::{EXTENT_BLOCKS_MAX, Extent};

/// Blocks that ordinary writes cannot reserve, at most.
const HELD_BACK_BLOCKS_MAX: u64 = 1024;

/// Slabs searched for a long run before a short one is taken.
const SLABS_SEARCHED: usize = 4;

/// Neighbouring slab blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) address: u64,
    pub(crate) blocks: u32,
}

impl Run {
    pub(crate) fn of_parent(extent: &Extent) -> Self {
        Self {
            address: extent.address(),
            blocks: extent.parent_blocks(),
        }
    }
}

/// Counts in blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) total: u64,
    pub(crate) free: u64,
    pub(crate) reserved: u64,
    pub(crate) held_back: u64,
}

#[derive(Debug)]
pub(crate) struct Allocator {
    slab_blocks: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slabs: Vec<Slab>,
    /// Slabs with free blocks, by their number of free blocks.
    by_free: BTreeSet<(u32, u32)>,
    current: u32,
    free: u64,
    reserved: u64,
    unsettled: HashMap<u64, u32>,
}

#[derive(Clone, Debug)]
struct Slab {
    /// Bit set: not free.
    words: Box<[u64]>,
    free: u32,
    cursor: u32,
}

impl Allocator {
    pub(crate) fn new(slab_blocks: u32) -> Self {
        Self {
            slab_blocks,
            state: Mutex::new(State::default()),
        }
    }

    pub(crate) fn slab_blocks(&self) -> u32 {
        self.slab_blocks
    }

    /// Adds a slab whose file is allocated; all its blocks are free.
    pub(crate) fn add_slab(&self) {
        let mut state = self.state.lock();
        let number = state.slabs.len() as u32;
        state.slabs.push(Slab::new(self.slab_blocks));
        state.by_free.insert((self.slab_blocks, number));
        state.free += u64::from(self.slab_blocks);
    }

    pub(crate) fn slab_count(&self) -> u32 {
        self.state.lock().slabs.len() as u32
    }

    /// Promises `blocks`, unless they are not to be had.
    pub(crate) fn try_reserve(&self, blocks: u64) -> bool {
        let mut state = self.state.lock();
        let held_back = state.held_back();
        let fits = state.reserved + blocks + held_back <= state.free;
        if fits || blocks == 0 {
            state.reserved += blocks;
            return true;
        }
        false
    }

    /// Promises `blocks` even from what is held back: for work that gives space back.
    pub(crate) fn reserve_always(&self, blocks: u64) {
        self.state.lock().reserved += blocks;
    }

    pub(crate) fn unreserve(&self, blocks: u64) {
        let mut state = self.state.lock();
        debug_assert!(state.reserved >= blocks, "more unreserved than reserved");
        state.reserved = state.reserved.saturating_sub(blocks);
    }

    /// Takes blocks for a chunk's new extents out of `reserved` promised ones, which may be fewer. None if
    /// there are not enough: nothing has changed then.
    pub(crate) fn allocate(&self, blocks: u32, reserved: u64) -> Option<Vec<Run>> {
        let mut state = self.state.lock();
        let beyond_promise = u64::from(blocks).saturating_sub(reserved);
        let others = state.reserved.saturating_sub(reserved);
        if u64::from(blocks) > state.free
            || (beyond_promise > 0 && u64::from(blocks) + others > state.free)
        {
            return None;
        }
        state.reserved -= reserved.min(state.reserved);
        let mut runs = Vec::new();
        let mut left = blocks;
        while left > 0 {
            let Some(run) = state.take_run(left, self.slab_blocks) else {
                unreachable!("the free count says that {left} more blocks are free");
            };
            left -= run.blocks;
            state.unsettled.insert(run.address, run.blocks);
            runs.push(run);
        }
        Some(runs)
    }

    /// The runs are in the index now.
    pub(crate) fn settle(&self, runs: &[Run]) {
        let mut state = self.state.lock();
        for run in runs {
            state.unsettled.remove(&run.address);
        }
    }

    /// The runs have left the index, but the log does not say so durably yet.
    pub(crate) fn unsettle(&self, runs: &[Run]) {
        let mut state = self.state.lock();
        for run in runs {
            state.unsettled.insert(run.address, run.blocks);
        }
    }

    /// Gives back runs that never came into the index.
    pub(crate) fn abandon(&self, runs: &[Run]) {
        self.settle(runs);
        self.free(runs);
    }

    /// Makes blocks free again.
    pub(crate) fn free(&self, runs: &[Run]) {
        let mut state = self.state.lock();
        for run in runs {
            state.mark(*run, self.slab_blocks, false);
        }
    }

    /// Marks what the index uses, while recovering.
    pub(crate) fn claim(&self, run: Run) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        let (slab, block) = self.place(run.address);
        let inside = (slab as usize) < state.slabs.len() && block + run.blocks <= self.slab_blocks;
        if !inside {
            return Err(StoreError::Corrupt(format!(
                "an extent lies at block {} to {}, beyond the {} slabs there are",
                run.address,
                run.address + u64::from(run.blocks),
                state.slabs.len()
            )));
        }
        if (block..block + run.blocks).any(|block| state.slabs[slab as usize].is_used(block)) {
            return Err(StoreError::Corrupt(format!(
                "two extents share blocks at {}",
                run.address
            )));
        }
        state.mark(run, self.slab_blocks, true);
        Ok(())
    }

    pub(crate) fn usage(&self) -> Usage {
        let state = self.state.lock();
        Usage {
            total: state.slabs.len() as u64 * u64::from(self.slab_blocks),
            free: state.free,
            reserved: state.reserved,
            held_back: state.held_back(),
        }
    }

    /// The slab of a block, and the block in it.
    pub(crate) fn place(&self, address: u64) -> (u32, u32) {
        let blocks = u64::from(self.slab_blocks);
        let slab = u32::try_from(address / blocks).unwrap_or(u32::MAX);
        (slab, (address % blocks) as u32)
    }

    /// The start of an audit, while nothing moves between index and allocator.
    pub(crate) fn nothing_owned(&self) -> Owned {
        let slabs = self.slab_count() as usize;
        let mut owned = Owned {
            slab_blocks: self.slab_blocks,
            slabs: Vec::new(),
            conflicting_blocks: 0,
        };
        owned
            .slabs
            .resize_with(slabs, || Slab::new(self.slab_blocks));
        owned
    }

    /// Compares what is marked here with all that someone else owns.
    pub(crate) fn audit(&self, mut owned: Owned) -> Audit {
        let state = self.state.lock();
        for (&address, &blocks) in &state.unsettled {
            owned.add(Run { address, blocks });
        }
        let mut audit = Audit {
            leaked_blocks: 0,
            conflicting_blocks: owned.conflicting_blocks,
            reserved_blocks: state.reserved,
        };
        for (marked, owned) in state.slabs.iter().zip(&owned.slabs) {
            for (marked, owned) in marked.words.iter().zip(&owned.words) {
                audit.leaked_blocks += u64::from((marked & !owned).count_ones());
                audit.conflicting_blocks += u64::from((owned & !marked).count_ones());
            }
        }
        audit
    }
}

/// Blocks that have an owner: one bit each.
#[derive(Debug)]
pub(crate) struct Owned {
    slab_blocks: u32,
    slabs: Vec<Slab>,
    conflicting_blocks: u64,
}

impl Owned {
    /// Someone owns these blocks.
    pub(crate) fn add(&mut self, run: Run) {
        let slab = usize::try_from(run.address / u64::from(self.slab_blocks));
        let slab = slab.ok().and_then(|slab| self.slabs.get_mut(slab));
        let first = (run.address % u64::from(self.slab_blocks)) as u32;
        let Some(slab) = slab else {
            self.conflicting_blocks += u64::from(run.blocks);
            return;
        };
        for block in first..first + run.blocks {
            if block < self.slab_blocks && !slab.is_used(block) {
                slab.set(block, true);
            } else {
                self.conflicting_blocks += 1;
            }
        }
    }
}

/// What an audit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Blocks marked but not owned.
    pub(crate) leaked_blocks: u64,
    /// Blocks owned twice or not marked.
    pub(crate) conflicting_blocks: u64,
    /// Blocks promised.
    pub(crate) reserved_blocks: u64,
}

impl State {
    fn held_back(&self) -> u64 {
        let total: u64 = self.slabs.iter().map(|slab| u64::from(slab.len())).sum();
        (total / 64).min(HELD_BACK_BLOCKS_MAX)
    }

    /// A run of at most `want` free blocks: a whole extent if one is near, else what there is.
    fn take_run(&mut self, want: u32, slab_blocks: u32) -> Option<Run> {
        let good = want.min(EXTENT_BLOCKS_MAX);
        let mut found = self.search(self.current, want, good);
        if found.is_none() {
            let roomiest: Vec<u32> = self
                .by_free
                .iter()
                .rev()
                .take(SLABS_SEARCHED)
                .map(|&(_, slab)| slab)
                .collect();
            found = roomiest
                .iter()
                .find_map(|&slab| self.search(slab, want, good));
            if found.is_none() {
                found = roomiest.iter().find_map(|&slab| self.search(slab, want, 1));
            }
        }
        let (slab, block, blocks) = found?;
        self.current = slab;
        let run = Run {
            address: u64::from(slab) * u64::from(slab_blocks) + u64::from(block),
            blocks,
        };
        self.mark(run, slab_blocks, true);
        self.slabs[slab as usize].cursor = block + blocks;
        Some(run)
    }

    fn search(&self, slab: u32, want: u32, good: u32) -> Option<(u32, u32, u32)> {
        let state = self.slabs.get(slab as usize)?;
        if state.free < good {
            return None;
        }
        let (block, blocks) = state.find(want, good)?;
        Some((slab, block, blocks))
    }

    fn mark(&mut self, run: Run, slab_blocks: u32, used: bool) {
        let number = (run.address / u64::from(slab_blocks)) as u32;
        let first = (run.address % u64::from(slab_blocks)) as u32;
        let slab = &mut self.slabs[number as usize];
        self.by_free.remove(&(slab.free, number));
        for block in first..first + run.blocks {
            debug_assert_ne!(
                slab.is_used(block),
                used,
                "block {block} of slab {number} marked twice"
            );
            slab.set(block, used);
        }
        if used {
            slab.free -= run.blocks;
            self.free -= u64::from(run.blocks);
        } else {
            slab.free += run.blocks;
            self.free += u64::from(run.blocks);
        }
        if slab.free > 0 {
            self.by_free.insert((slab.free, number));
        }
    }
}

impl Slab {
    fn new(blocks: u32) -> Self {
        let mut slab = Self {
            words: vec![0; blocks.div_ceil(64) as usize].into_boxed_slice(),
            free: blocks,
            cursor: 0,
        };
        // Bits beyond the end never look free.
        if let Some(last) = slab.words.last_mut()
            && !blocks.is_multiple_of(64)
        {
            *last = u64::MAX << (blocks % 64);
        }
        slab
    }

    fn len(&self) -> u32 {
        self.words.len() as u32 * 64
    }

    fn is_used(&self, block: u32) -> bool {
        self.words[(block / 64) as usize] >> (block % 64) & 1 == 1
    }

    fn set(&mut self, block: u32, used: bool) {
        let (word, bit) = ((block / 64) as usize, 1 << (block % 64));
        if used {
            self.words[word] |= bit;
        } else {
            self.words[word] &= !bit;
        }
    }

    /// A free run of `good` to `want` blocks, from the cursor on, then from the start.
    fn find(&self, want: u32, good: u32) -> Option<(u32, u32)> {
        self.find_between(self.cursor, self.len(), want, good)
            .or_else(|| self.find_between(0, (self.cursor + good).min(self.len()), want, good))
    }

    fn find_between(&self, from: u32, to: u32, want: u32, good: u32) -> Option<(u32, u32)> {
        let mut at = from;
        while let Some(start) = self.next(at, to, false) {
            let limit = to.min(start + want);
            let end = self.next(start, limit, true).unwrap_or(limit);
            if end - start >= good {
                return Some((start, end - start));
            }
            at = end;
        }
        None
    }

    /// The first block in `from..to` that is used or free as asked.
    fn next(&self, from: u32, to: u32, used: bool) -> Option<u32> {
        let mut block = from;
        while block < to {
            let word = self.words[(block / 64) as usize];
            let word = if used { word } else { !word } >> (block % 64);
            if word != 0 {
                let found = block + word.trailing_zeros();
                return (found < to).then_some(found);
            }
            block = (block / 64 + 1) * 64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocator(slabs: u32) -> Allocator {
        let allocator = Allocator::new(200);
        (0..slabs).for_each(|_| allocator.add_slab());
        allocator
    }

    /// Blocks that are leaked, and in conflict.
    fn audit(allocator: &Allocator, runs: &[Run]) -> (u64, u64) {
        let mut owned = allocator.nothing_owned();
        runs.iter().for_each(|&run| owned.add(run));
        let audit = allocator.audit(owned);
        (audit.leaked_blocks, audit.conflicting_blocks)
    }

    #[test]
    fn long_runs_are_preferred_and_every_block_is_found() {
        let allocator = allocator(2);
        let all: Vec<Run> = (0..25)
            .flat_map(|_| allocator.allocate(16, 0).unwrap())
            .collect();
        assert_eq!(allocator.usage().free, 0);
        assert_eq!(all.iter().map(|run| run.blocks).sum::<u32>(), 400);
        assert!(allocator.allocate(1, 0).is_none());
        allocator.settle(&all);
        assert_eq!(audit(&allocator, &all), (0, 0));
        let some = u64::from(all[0].blocks);
        assert_eq!(audit(&allocator, &all[1..]), (some, 0));
        let twice: Vec<Run> = all.iter().chain(&all[..1]).copied().collect();
        assert_eq!(audit(&allocator, &twice), (0, some));
        allocator.free(&all);
        assert_eq!(audit(&allocator, &all[..1]), (0, some), "owned but free");
        assert_eq!(allocator.usage().free, 400);
    }

    #[test]
    fn promised_blocks_are_not_given_to_others() {
        let allocator = allocator(1);
        let held_back = allocator.usage().held_back;
        assert!(allocator.try_reserve(150));
        assert!(!allocator.try_reserve(51 - held_back));
        assert!(
            allocator.allocate(51, 0).is_none(),
            "beyond what is not promised"
        );
        assert!(allocator.allocate(151, 150).is_some());
        assert_eq!(allocator.usage().reserved, 0);
    }

    #[test]
    fn scattered_free_blocks_are_still_used() {
        let allocator = allocator(1);
        let runs = allocator.allocate(200, 0).unwrap();
        allocator.settle(&runs);
        let scattered: Vec<Run> = (0..200)
            .step_by(2)
            .map(|address| Run { address, blocks: 1 })
            .collect();
        allocator.free(&scattered);
        let again = allocator.allocate(100, 0).unwrap();
        assert_eq!(again.len(), 100);
    }

    #[test]
    fn a_claim_beyond_the_slabs_or_twice_is_damage() {
        let allocator = allocator(1);
        let run = Run {
            address: 190,
            blocks: 10,
        };
        allocator.claim(run).unwrap();
        assert!(allocator.claim(run).is_err());
        assert!(
            allocator
                .claim(Run {
                    address: 195,
                    blocks: 10
                })
                .is_err()
        );
        assert!(
            allocator
                .claim(Run {
                    address: 1000,
                    blocks: 1
                })
                .is_err()
        );
    }
}
