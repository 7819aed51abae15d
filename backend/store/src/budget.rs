//! The bound on bytes that wait in memory: unstable and journaled data that is not in slabs yet.
//!
//! Who comes first is admitted first, whatever its size: a write whose asker has given up and sent it again must not
//! come in after the newer one.

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Bytes counted in for a write that is not in memory yet; counted out when dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Admitted<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Admitted<'_> {
    /// The bytes are in memory now, and stay counted.
    pub(crate) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    bytes_background: usize,
    used: Mutex<usize>,
    /// Held by who is next to be admitted; the others wait for it in the order they came.
    turn: tokio::sync::Mutex<()>,
    room: Notify,
    /// Wakes the background flusher.
    pub(crate) pressure: Notify,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize, bytes_background: usize) -> Self {
        Self {
            bytes_max,
            bytes_background,
            used: Mutex::new(0),
            turn: tokio::sync::Mutex::new(()),
            room: Notify::new(),
            pressure: Notify::new(),
        }
    }

    /// Counts `bytes` in, waiting while there is no room or others came before. One request is always admitted when
    /// nothing is held, whatever its size. `give_up` is asked before each wait for room.
    pub(crate) async fn admit<E>(
        &self,
        bytes: usize,
        give_up: impl Fn() -> Result<(), E>,
    ) -> Result<Admitted<'_>, E> {
        let _turn = self.turn.lock().await;
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            {
                let mut used = self.used.lock();
                if *used == 0 || *used + bytes <= self.bytes_max {
                    *used += bytes;
                    if *used >= self.bytes_background {
                        self.pressure.notify_one();
                    }
                    return Ok(Admitted {
                        budget: self,
                        bytes,
                    });
                }
            }
            give_up()?;
            self.pressure.notify_one();
            room.await;
        }
    }

    /// Counts in without waiting, for what recovery finds in the log.
    pub(crate) fn add(&self, bytes: usize) {
        *self.used.lock() += bytes;
    }

    pub(crate) fn release(&self, bytes: usize) {
        if bytes > 0 {
            let mut used = self.used.lock();
            debug_assert!(*used >= bytes, "more bytes released than held");
            *used = used.saturating_sub(bytes);
            drop(used);
            self.room.notify_waiters();
        }
    }

    /// Lets all who wait ask `give_up` again.
    pub(crate) fn wake_all(&self) {
        self.room.notify_waiters();
    }

    pub(crate) fn used(&self) -> usize {
        *self.used.lock()
    }

    pub(crate) fn is_under_pressure(&self) -> bool {
        self.used() >= self.bytes_background
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const NEVER: fn() -> Result<(), ()> = || Ok(());

    #[tokio::test]
    async fn who_comes_first_is_admitted_first() {
        let budget = Arc::new(Budget::new(10, 5));
        budget.admit(6, NEVER).await.unwrap().keep();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        // Only the first does not fit.
        for bytes in [8, 2, 1] {
            let (budget, order) = (Arc::clone(&budget), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                budget.admit(bytes, NEVER).await.unwrap().keep();
                order.lock().push(bytes);
            }));
            tokio::task::yield_now().await;
        }
        assert!(order.lock().is_empty());
        budget.release(6);
        for waiting in waiting.drain(..2) {
            waiting.await.unwrap();
        }
        assert_eq!(*order.lock(), [8, 2]);
        budget.release(8);
        waiting.remove(0).await.unwrap();
        assert_eq!((budget.used(), order.lock().len()), (3, 3));
    }

    #[tokio::test]
    async fn who_gives_up_does_not_hold_up_the_next() {
        let budget = Arc::new(Budget::new(10, 5));
        budget.admit(10, NEVER).await.unwrap().keep();
        let admit = |bytes| {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move { budget.admit(bytes, NEVER).await.unwrap().keep() })
        };
        let (first, second) = (admit(8), admit(4));
        tokio::task::yield_now().await;
        first.abort();
        budget.release(5);
        second.await.unwrap();
        assert_eq!(budget.used(), 9);
    }
}
