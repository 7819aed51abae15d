//! How many bytes of data may be under way: a bound in all, and a lower one for each target, so that requests
//! which wait for a target that does not answer leave room for those to the others.
//!
//! A request has its bytes only while it is with the fabric: between two tries it holds none. It takes those of its
//! target first, so that whoever waits for a target's turn keeps nobody else waiting.

use std::sync::Arc;

use dashmap::DashMap;
use sluice_types::{FsError, TargetId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// What a permit stands for, in bytes.
const PAGE_BYTES: usize = 4096;

/// The bytes that may be under way.
#[derive(Debug)]
pub(crate) struct Budget {
    all: Semaphore,
    all_pages_max: u32,
    /// By target; as many as the cluster map ever had while this process runs.
    targets: DashMap<TargetId, Arc<Semaphore>>,
    target_pages_max: u32,
}

/// Bytes taken from a budget, until dropped.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    _of_target: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'a>,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize, target_bytes_max: usize) -> Self {
        let all_pages_max = pages(bytes_max).max(1);
        Self {
            all: Semaphore::new(all_pages_max as usize),
            all_pages_max,
            targets: DashMap::new(),
            target_pages_max: pages(target_bytes_max).clamp(1, all_pages_max),
        }
    }

    /// Waits for room for `bytes` to `target`; `None` if that needs none. More than there can ever be counts as all
    /// of it.
    pub(crate) async fn take(
        &self,
        target: TargetId,
        bytes: usize,
    ) -> Result<Option<Room<'_>>, FsError> {
        if bytes == 0 {
            return Ok(None);
        }
        let pages = pages(bytes);
        let of_target = self.of_target(target);
        let of_target = of_target.acquire_many_owned(pages.min(self.target_pages_max));
        // The semaphores are never closed.
        let _of_target = of_target.await.map_err(|_| FsError::Internal)?;
        let of_all = self.all.acquire_many(pages.min(self.all_pages_max)).await;
        let _of_all = of_all.map_err(|_| FsError::Internal)?;
        Ok(Some(Room {
            _of_target,
            _of_all,
        }))
    }

    fn of_target(&self, target: TargetId) -> Arc<Semaphore> {
        if let Some(known) = self.targets.get(&target) {
            return Arc::clone(&known);
        }
        let made = || Arc::new(Semaphore::new(self.target_pages_max as usize));
        Arc::clone(&self.targets.entry(target).or_insert_with(made))
    }
}

fn pages(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PAGE_BYTES)).unwrap_or(u32::MAX)
}
