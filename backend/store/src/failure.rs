//! When a target is out of service.
//!
//! A failed log write or flush puts it out of service at once: what the disk then holds of the log is
//! unknown, and only a restart can find out. Failed slab operations do after several in a row, as the data is
//! still in memory and is written elsewhere at the next try. Reads and flushes are counted apart: a disk that has
//! become read-only still reads well, and one bad place on a disk that is only read is no bad disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::RwLock;

use crate::StoreError;

/// Device errors in a row that put a target out of service.
const ERRORS_IN_A_ROW_MAX: u32 = 8;

/// What is counted apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Read,
    Flush,
}

#[derive(Debug, Default)]
pub(crate) struct Failure {
    /// By [`Kind`].
    in_a_row: [AtomicU32; 2],
    closed: AtomicBool,
    reason: RwLock<Option<Arc<str>>>,
}

impl Failure {
    /// An error if the target is out of service.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        match &*self.reason.read() {
            Some(reason) => Err(StoreError::Failed(Arc::clone(reason))),
            None => Ok(()),
        }
    }

    /// The store was closed.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn reason(&self) -> Option<Arc<str>> {
        self.reason.read().clone()
    }

    /// A slab operation failed.
    pub(crate) fn count(&self, kind: Kind, label: &str, error: &StoreError) {
        tracing::error!(target_label = label, %error, "storage device error");
        if self.in_a_row[kind as usize].fetch_add(1, Ordering::Relaxed) + 1 >= ERRORS_IN_A_ROW_MAX {
            self.fail(label, error);
        }
    }

    /// A slab operation succeeded.
    pub(crate) fn clear_count(&self, kind: Kind) {
        let in_a_row = &self.in_a_row[kind as usize];
        if in_a_row.load(Ordering::Relaxed) != 0 {
            in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// The target is out of service.
    pub(crate) fn fail(&self, label: &str, error: &StoreError) {
        let mut reason = self.reason.write();
        if reason.is_none() {
            tracing::error!(target_label = label, %error, "the storage target FAILED and is out of service");
            *reason = Some(error.to_string().into());
        }
    }
}
