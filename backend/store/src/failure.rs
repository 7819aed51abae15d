//! When a target is out of service.
//!
//! A failed log write or flush puts it out of service at once: what the disk then holds of the log is
//! unknown, and only a restart can find out. Failed slab operations do after several in a row, as the data is
//! still in memory and is written elsewhere at the next try. Reads and flushes are counted apart: a disk that has
//! become read-only still reads well, and one bad place on a disk that is only read is no bad disk. So each place counts
//! once in a row of failed reads; and of flushes that were under way at the same time one counts, for they share what
//! failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::StoreError;

/// Device errors in a row that put a target out of service.
const ERRORS_IN_A_ROW_MAX: u32 = 8;

#[derive(Debug, Default)]
pub(crate) struct Failure {
    flushes_in_a_row: AtomicU32,
    /// Extents whose reading failed since one was last read.
    unread: Mutex<Vec<u64>>,
    /// Whether there are any.
    has_unread: AtomicBool,
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

    /// How many flushes failed in a row; to be asked before one begins.
    pub(crate) fn failed_in_a_row(&self) -> u32 {
        self.flushes_in_a_row.load(Ordering::Acquire)
    }

    /// A flush failed that began when `before` had failed in a row.
    pub(crate) fn count_flush(&self, before: u32, label: &str, error: &StoreError) {
        tracing::error!(target_label = label, %error, "storage device error");
        let (order, count) = (Ordering::AcqRel, before + 1);
        let counted =
            self.flushes_in_a_row
                .compare_exchange(before, count, order, Ordering::Acquire);
        if counted.is_ok() && count >= ERRORS_IN_A_ROW_MAX {
            self.fail(label, error);
        }
    }

    /// A flush succeeded.
    pub(crate) fn clear_flushes(&self) {
        if self.failed_in_a_row() != 0 {
            self.flushes_in_a_row.store(0, Ordering::Release);
        }
    }

    /// The extent at that slab block could not be read.
    pub(crate) fn count_read(&self, address: u64, label: &str, error: &StoreError) {
        tracing::error!(target_label = label, %error, "storage device error");
        let count = {
            let mut unread = self.unread.lock();
            if unread.contains(&address) || unread.len() >= ERRORS_IN_A_ROW_MAX as usize {
                return;
            }
            unread.push(address);
            self.has_unread.store(true, Ordering::Release);
            unread.len()
        };
        if count >= ERRORS_IN_A_ROW_MAX as usize {
            self.fail(label, error);
        }
    }

    /// An extent was read.
    pub(crate) fn clear_reads(&self) {
        if self.has_unread.swap(false, Ordering::AcqRel) {
            self.unread.lock().clear();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_places_in_a_row_are_a_bad_disk_and_one_is_not() {
        let failure = Failure::default();
        let count = |address| failure.count_read(address, "0", &StoreError::Closed);
        (0..100).for_each(|_| count(7));
        (1..=7).for_each(count);
        assert!(failure.reason().is_none(), "seven places");
        failure.clear_reads();
        (10..17).for_each(count);
        assert!(failure.reason().is_none());
        count(17);
        assert!(failure.reason().is_some());
    }

    #[test]
    fn flushes_that_fail_together_count_once() {
        let failure = Failure::default();
        for round in 1..=ERRORS_IN_A_ROW_MAX {
            let before = failure.failed_in_a_row();
            (0..32).for_each(|_| failure.count_flush(before, "0", &StoreError::Closed));
            assert_eq!(failure.reason().is_some(), round == ERRORS_IN_A_ROW_MAX);
        }
    }
}
