//! A bound on bytes: whoever is about to take memory takes them from here first, and gives them back when the
//! memory is free again. First come, first served.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a permit of the semaphore stands for, in bytes.
const PAGE_BYTES: usize = 4096;

#[derive(Clone, Debug)]
pub(super) struct Budget {
    pages: Arc<Semaphore>,
    pages_max: usize,
}

/// Bytes taken from a budget, until dropped.
#[derive(Debug)]
pub(super) struct Share {
    _pages: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Self {
        let pages_max = bytes_max.div_ceil(PAGE_BYTES).clamp(1, u32::MAX as usize);
        Self {
            pages: Arc::new(Semaphore::new(pages_max)),
            pages_max,
        }
    }

    /// Waits for `bytes`. More than the whole budget counts as the whole, so that it comes through
    /// alone rather than never; nothing is had at once.
    pub(super) async fn take(&self, bytes: usize) -> Share {
        let pages = bytes.div_ceil(PAGE_BYTES).min(self.pages_max) as u32;
        if pages == 0 {
            return Share { _pages: None };
        }
        let pages = Arc::clone(&self.pages).acquire_many_owned(pages).await;
        // The semaphore is never closed.
        Share { _pages: pages.ok() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_taken_is_waited_for() {
        let budget = Budget::new(3 * PAGE_BYTES);
        let two = budget.take(PAGE_BYTES + 1).await;
        let wait = Duration::from_millis(20);
        assert!(
            tokio::time::timeout(wait, budget.take(2 * PAGE_BYTES))
                .await
                .is_err()
        );
        assert!(tokio::time::timeout(wait, budget.take(0)).await.is_ok());
        drop(two);
        // Far more than there is: the whole.
        assert!(
            tokio::time::timeout(wait, budget.take(1 << 40))
                .await
                .is_ok()
        );
    }
}
