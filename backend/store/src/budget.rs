//! The bound on bytes that wait in memory: unstable and journaled data that is not in slabs yet.

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
            room: Notify::new(),
            pressure: Notify::new(),
        }
    }

    /// Counts `bytes` in, waiting while there is no room. One request is always admitted when nothing is
    /// held, whatever its size. `give_up` is asked before each wait.
    pub(crate) async fn admit<E>(
        &self,
        bytes: usize,
        give_up: impl Fn() -> Result<(), E>,
    ) -> Result<Admitted<'_>, E> {
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
