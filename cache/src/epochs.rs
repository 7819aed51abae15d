//! What keeps remembered values from outliving a change.
//!
//! Whoever asks the metadata service takes a [`Ticket`] first; whoever changes something holds a [`Change`] from before
//! it asks until after the answer came. An answer is remembered only if no change of the same key began or ended since its
//! ticket was taken and none is under way: so an old value that was long on its way never replaces a newer one. A
//! lease is a change in this sense too: recalling it is holding one.
//!
//! Keys share a fixed number of counters by hash: two that meet can only cause an answer not to be remembered.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foyer::DefaultHasher;
use parking_lot::Mutex;

const STRIPES: usize = 4096;

/// What happened to the keys of one stripe.
#[derive(Debug, Default)]
struct Stripe {
    /// Changes that began or ended.
    epoch: u64,
    /// Changes under way.
    under_way: u64,
}

/// The counters of one cache.
#[derive(Debug)]
pub(crate) struct Epochs {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: DefaultHasher,
}

/// The state of a key when someone began to ask for its value.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Ticket {
    stripe: usize,
    epoch: u64,
}

impl Epochs {
    pub(crate) fn new() -> Arc<Self> {
        let stripes = (0..STRIPES).map(|_| Mutex::default()).collect();
        let hasher = DefaultHasher::default();
        Arc::new(Self { stripes, hasher })
    }

    pub(crate) fn ticket<K: Hash + ?Sized>(&self, key: &K) -> Ticket {
        let stripe = self.stripe(key);
        let epoch = self.stripes[stripe].lock().epoch;
        Ticket { stripe, epoch }
    }

    /// Remembers a value that was asked for with this ticket, unless a change came between; none can come while it is
    /// being remembered. Whether it was.
    pub(crate) fn remember(&self, ticket: Ticket, remember: impl FnOnce()) -> bool {
        let stripe = self.stripes[ticket.stripe].lock();
        let holds = stripe.epoch == ticket.epoch && stripe.under_way == 0;
        if holds {
            remember();
        }
        holds
    }

    pub(crate) fn begin<K: Hash + ?Sized>(&self, key: &K) -> usize {
        let index = self.stripe(key);
        let mut stripe = self.stripes[index].lock();
        stripe.epoch += 1;
        stripe.under_way += 1;
        index
    }

    /// Whatever was asked for up to now is not remembered any more.
    pub(crate) fn advance_all(&self) {
        for stripe in &self.stripes {
            stripe.lock().epoch += 1;
        }
    }

    pub(crate) fn end(&self, index: usize) {
        let mut stripe = self.stripes[index].lock();
        stripe.epoch += 1;
        stripe.under_way -= 1;
    }

    fn stripe<K: Hash + ?Sized>(&self, key: &K) -> usize {
        self.hasher.hash_one(key) as usize % STRIPES
    }
}

/// A change of one key, under way as long as this lives. When it ends, what was remembered of the key is gone.
#[must_use = "the change lasts as long as this lives"]
pub struct Change {
    epochs: Arc<Epochs>,
    stripe: usize,
    forget: Box<dyn Fn() + Send + Sync>,
}

impl Change {
    pub(crate) fn new(
        epochs: Arc<Epochs>,
        stripe: usize,
        forget: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            epochs,
            stripe,
            forget,
        }
    }

    /// Forgets what was remembered already now; the change stays under way, so nothing new is remembered. For a change
    /// of which it is not known whether or when it is carried out.
    pub fn forget(&self) {
        (self.forget)();
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").finish_non_exhaustive()
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        // Forgotten before the change ends, so that nobody finds the old value afterwards: while it is under way, nothing
        // is remembered.
        (self.forget)();
        self.epochs.end(self.stripe);
    }
}
