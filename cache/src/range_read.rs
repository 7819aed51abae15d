//! Reading a range of blocks through the cache.
//!
//! What is in memory is taken at once. Of the rest, each block that nobody fetches yet is this reader's to fetch: from
//! NVMe if it is there, else from storage, neighbouring blocks as one range and all ranges in parallel. What
//! others fetch is waited for last.

use std::future::Future;
use std::ops::Range;

use futures::future::{join_all, try_join_all};
use sluice_types::Payload;

use crate::in_flight::{Follower, Leader, Part};
use crate::{BLOCK_BYTES, BlockCache, BlockIndex, BlockKey, FileVersion};

/// What a fetch from storage gave.
#[derive(Debug)]
pub struct Fetched {
    /// The bytes of the blocks asked for, in order; shorter where the file ends.
    pub payload: Payload,
    /// Whether they may be cached: whether the version still is what it was.
    pub keep: bool,
}

/// A missing block, by its place in the range.
struct Led {
    place: usize,
    leader: Leader,
}

impl BlockCache {
    /// The bytes of `blocks` of a file, in order: from memory, NVMe, or `fetch`, which is asked for ranges of
    /// neighbouring blocks that are nowhere cached. Blocks before the last that are shorter than
    /// [`BLOCK_BYTES`] are filled up with zeros: they ended where the file did.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub async fn read_blocks<E, F, Fut>(
        &self,
        file: FileVersion,
        blocks: Range<BlockIndex>,
        fetch: F,
    ) -> Result<Payload, E>
    where
        F: Fn(Range<BlockIndex>) -> Fut,
        Fut: Future<Output = Result<Fetched, E>>,
    {
        let keys: Vec<BlockKey> = (blocks.start.raw()..blocks.end.raw())
            .map(|block| BlockKey {
                file,
                block: BlockIndex::new(block),
            })
            .collect();
        let mut found: Vec<Option<Payload>> = Vec::with_capacity(keys.len());
        found.extend(keys.iter().map(|key| self.get(key).map(Payload::from)));
        while found.iter().any(Option::is_none) {
            self.fill(&keys, &mut found, &fetch).await?;
        }
        Ok(join(found.into_iter().flatten()))
    }

    /// Whether all of `blocks` can be had without asking storage.
    pub fn contains(&self, file: FileVersion, blocks: Range<BlockIndex>) -> bool {
        (blocks.start.raw()..blocks.end.raw()).all(|block| {
            let block = BlockIndex::new(block);
            self.hybrid.contains(&BlockKey { file, block })
        })
    }

    /// Tries to find all that `found` lacks; what a failed leader left is still lacking afterwards.
    async fn fill<E, F, Fut>(
        &self,
        keys: &[BlockKey],
        found: &mut [Option<Payload>],
        fetch: &F,
    ) -> Result<(), E>
    where
        F: Fn(Range<BlockIndex>) -> Fut,
        Fut: Future<Output = Result<Fetched, E>>,
    {
        let (led, followed) = self.join_missing(keys, found);
        let led = self.take_from_nvme(led, found).await;
        let runs = runs(led);
        let fetches = runs.into_iter().map(|run| self.fetch_run(run, fetch));
        for (place, block) in try_join_all(fetches).await?.into_iter().flatten() {
            found[place] = Some(block);
        }
        for (place, follower) in followed {
            found[place] = follower.outcome().await;
        }
        Ok(())
    }

    fn join_missing(
        &self,
        keys: &[BlockKey],
        found: &mut [Option<Payload>],
    ) -> (Vec<Led>, Vec<(usize, Follower)>) {
        let (mut led, mut followed) = (Vec::new(), Vec::new());
        for (place, key) in keys.iter().enumerate() {
            if found[place].is_some() {
                continue;
            }
            match self.in_flight.join(*key) {
                Part::Follower(follower) => {
                    self.metrics.joined();
                    followed.push((place, follower));
                }
                // Whoever led before may have finished between the lookup and here.
                Part::Leader(leader) => match self.get(key) {
                    Some(bytes) => {
                        leader.complete(bytes.clone().into());
                        found[place] = Some(bytes.into());
                    }
                    None => led.push(Led { place, leader }),
                },
            }
        }
        (led, followed)
    }

    /// Takes what NVMe has; gives back the rest.
    async fn take_from_nvme(&self, led: Vec<Led>, found: &mut [Option<Payload>]) -> Vec<Led> {
        if !self.has_nvme() || led.is_empty() {
            return led;
        }
        let keys: Vec<BlockKey> = led.iter().map(|led| led.leader.key()).collect();
        let loaded = join_all(keys.iter().map(|key| self.load_from_nvme(key))).await;
        let mut missing = Vec::new();
        for (led, loaded) in led.into_iter().zip(loaded) {
            match loaded {
                Some(bytes) => {
                    found[led.place] = Some(bytes.clone().into());
                    led.leader.complete(bytes.into());
                }
                None => missing.push(led),
            }
        }
        missing
    }

    /// Fetches neighbouring blocks as one range.
    async fn fetch_run<E, F, Fut>(
        &self,
        run: Vec<Led>,
        fetch: &F,
    ) -> Result<Vec<(usize, Payload)>, E>
    where
        F: Fn(Range<BlockIndex>) -> Fut,
        Fut: Future<Output = Result<Fetched, E>>,
    {
        let Some(first) = run.first().map(|led| led.leader.key().block) else {
            return Ok(Vec::new());
        };
        let end = BlockIndex::new(first.raw() + run.len() as u64);
        let fetched = fetch(first..end).await?;
        self.metrics.missed(run.len(), fetched.payload.len());
        let mut blocks = Vec::with_capacity(run.len());
        for (index, led) in run.into_iter().enumerate() {
            let length = BLOCK_BYTES as usize;
            let block = fetched.payload.slice(index * length, length);
            if fetched.keep {
                self.insert(led.leader.key(), &block);
            }
            blocks.push((led.place, block.clone()));
            led.leader.complete(block);
        }
        // Once for all of them: it asks every shard.
        self.metrics.memory_used(self.memory_used_bytes());
        Ok(blocks)
    }
}

/// Cuts missing blocks into runs of neighbours.
fn runs(led: Vec<Led>) -> Vec<Vec<Led>> {
    let mut runs: Vec<Vec<Led>> = Vec::new();
    for led in led {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last.place + 1 == led.place) => {
                run.push(led);
            }
            _ => runs.push(vec![led]),
        }
    }
    runs
}

fn join(blocks: impl Iterator<Item = Payload>) -> Payload {
    let mut whole = Payload::new();
    for (index, block) in blocks.enumerate() {
        whole.push_zeros((index * BLOCK_BYTES as usize).saturating_sub(whole.len()));
        whole.append(block);
    }
    whole
}
