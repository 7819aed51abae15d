//! Where chance comes in. Everything that wants a random number takes an [`Rng`], so that a seed
//! replays a run.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// A source of random numbers.
pub trait Rng: Send + Sync + fmt::Debug {
    /// 64 random bits.
    fn next_u64(&self) -> u64;

    /// 128 random bits.
    fn next_u128(&self) -> u128 {
        (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())
    }
}

/// Random numbers from keys that the operating system gave: not to be guessed from outside.
#[derive(Debug, Default)]
pub struct SystemRng {
    keys: RandomState,
    drawn: AtomicU64,
}

impl SystemRng {
    /// A source with fresh keys.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Rng for SystemRng {
    fn next_u64(&self) -> u64 {
        // SipHash under a secret key, of a counter: a pseudo-random function's output.
        let index = self.drawn.fetch_add(1, Ordering::Relaxed);
        RandomState::new().hash_one(self.keys.hash_one(index))
    }
}
