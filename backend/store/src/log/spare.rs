//! A segment file kept in reserve, so that the log's writer neither waits for a new file nor writes to space that the
//! file system has allocated but never written: there, every flush would also be one of its own journal.
//!
//! A segment that is no longer needed becomes the spare one; while there is none, one is made and zeroed in the
//! background. What remains in it from earlier cannot be taken for frames: they had another salt.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{Log, Segment};
use crate::StoreError;
use crate::device::{BUFFER_BYTES, FileId};
use crate::format::{SEGMENT_SPARE_NAME, SEGMENT_ZEROING_NAME, segment_name};

/// Buffers of zeros written at once.
const ZERO_BUFFERS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Spare {
    file: Mutex<Option<FileId>>,
    wanted: AtomicBool,
}

impl Log {
    /// Takes the spare segment that an earlier start left, if it has the right size.
    pub(crate) async fn adopt_spare(&self, names: &[String]) -> Result<(), StoreError> {
        if names.iter().any(|name| name == SEGMENT_SPARE_NAME) {
            let error = |error| StoreError::device("opening the spare log segment", error);
            let (file, bytes) = self.device.open(SEGMENT_SPARE_NAME).await.map_err(error)?;
            if bytes == self.segment_bytes {
                *self.spare.file.lock() = Some(file);
            } else {
                self.device.close(file).await;
                self.device
                    .delete(SEGMENT_SPARE_NAME)
                    .await
                    .map_err(error)?;
            }
        }
        Ok(())
    }

    /// The spare segment's file, to be used and renamed by the caller.
    pub(super) fn take_spare(&self) -> Option<FileId> {
        self.spare.file.lock().take()
    }

    /// Asks for a spare segment if there is none.
    pub(super) fn want_spare(&self) {
        let missing = self.spare.file.lock().is_none();
        if missing && !self.spare.wanted.swap(true, Ordering::AcqRel) {
            self.rolled.notify_one();
        }
    }

    /// Makes the spare segment that was asked for. To be called by one task at a time, the one that also
    /// retires segments.
    pub(crate) async fn prepare_spare(&self) -> Result<(), StoreError> {
        if !self.spare.wanted.swap(false, Ordering::AcqRel) || self.spare.file.lock().is_some() {
            return Ok(());
        }
        let error = |error| StoreError::device("preparing a log segment", error);
        // Under a name of its own: the writer may need a file meanwhile.
        let name = SEGMENT_ZEROING_NAME;
        let file = match self.device.create(name, self.segment_bytes).await {
            // The writer says so when it needs the space.
            Err(full) if full.kind() == ErrorKind::StorageFull => return Ok(()),
            created => created.map_err(error)?,
        };
        let mut at = 0;
        while at < self.segment_bytes {
            let step = (self.segment_bytes - at).min((ZERO_BUFFERS * BUFFER_BYTES) as u64) as usize;
            let buffers = self.buffers(&[], step).await;
            self.device
                .write_at(file, at, buffers)
                .await
                .map_err(error)?;
            at += step as u64;
        }
        self.device.flush(file).await.map_err(error)?;
        self.device
            .rename(name, SEGMENT_SPARE_NAME)
            .await
            .map_err(error)?;
        self.device.sync_directory().await.map_err(error)?;
        *self.spare.file.lock() = Some(file);
        Ok(())
    }

    /// Makes a segment that is no longer needed the spare one, or deletes it if there is one.
    pub(super) async fn retire_segment(&self, segment: &Segment) -> Result<(), StoreError> {
        let name = segment_name(segment.number);
        let error = |error| StoreError::device(format!("retiring {name}"), error);
        let keep = self.spare.file.lock().is_none() && segment.bytes == self.segment_bytes;
        if keep {
            self.device
                .rename(&name, SEGMENT_SPARE_NAME)
                .await
                .map_err(error)?;
            self.device.sync_directory().await.map_err(error)?;
            *self.spare.file.lock() = Some(segment.file);
        } else {
            self.device.close(segment.file).await;
            self.device.delete(&name).await.map_err(error)?;
            self.device.sync_directory().await.map_err(error)?;
        }
        Ok(())
    }
}
