//! A segment file kept in reserve, so that the log's writer neither waits for a new file nor writes to space that the
//! file system has allocated but never written: there, every flush would also be one of its own journal.
//!
//! A segment that is no longer needed becomes the spare one; while there is none, one is made and zeroed in the
//! background. What remains in it from earlier cannot be taken for frames: they had another salt.
//!
//! **A full disk.** When there is no spare segment and no space for one, the log is *short*: the rest of its current segment
//! is kept for what gives space back. New writes are refused once a quarter of that segment is used, compaction is hurried,
//! and removals, cuts and commits go on. Should that rest be used up too, those that are in the log's queue wait until there
//! is space; after 10 s without any, the log is *used up*: no more are let in, so that they do not hold what others need.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use super::{Log, Segment};
use crate::StoreError;
use crate::device::{BUFFER_BYTES, FileId};
use crate::format::{SEGMENT_NEW_NAME, SEGMENT_SPARE_NAME, SEGMENT_ZEROING_NAME, segment_name};

/// Buffers of zeros written at once.
const ZERO_BUFFERS: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Spare {
    file: Mutex<Option<FileId>>,
    wanted: AtomicBool,
    /// Whether there was no space for another segment when one was last wanted.
    disk_full: AtomicBool,
    /// Held from before a file gets the name of the spare one, or is taken for use, until it has its own name: else a
    /// file could get that name while the one before still has it, and be taken for it.
    naming: tokio::sync::Mutex<()>,
}

/// A file that becomes the next segment, and the name it has till then.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub(super) file: FileId,
    pub(super) name: &'static str,
    _naming: Option<MutexGuard<'a, ()>>,
}

impl Log {
    /// Takes the spare segment that an earlier start left, if it has the right size.
    pub(crate) async fn adopt_spare(&self, names: &[String]) -> Result<(), StoreError> {
        if !names.iter().any(|name| name == SEGMENT_SPARE_NAME) {
            return Ok(());
        }
        let error = |error| StoreError::device("opening the spare log segment", error);
        // A process that was killed may have renamed it and no more. Its contents change now, so after a power loss it
        // must not be found under its name from before.
        self.device.sync_directory().await.map_err(error)?;
        let (file, bytes) = self.device.open(SEGMENT_SPARE_NAME).await.map_err(error)?;
        if bytes == self.segment_bytes {
            *self.spare.file.lock() = Some(file);
        } else {
            self.device.close(file).await;
            let deleted = self.device.delete(SEGMENT_SPARE_NAME).await;
            deleted.map_err(error)?;
        }
        Ok(())
    }

    /// A file for the next segment: the spare one, else a new one. None if there is no space.
    pub(super) async fn prepared_file(&self) -> Result<Option<Prepared<'_>>, StoreError> {
        let naming = self.spare.naming.lock().await;
        let spare = self.spare.file.lock().take();
        if let Some(file) = spare {
            return Ok(Some(Prepared {
                file,
                name: SEGMENT_SPARE_NAME,
                _naming: Some(naming),
            }));
        }
        drop(naming);
        let name = SEGMENT_NEW_NAME;
        match self.device.create(name, self.segment_bytes).await {
            Ok(file) => Ok(Some(Prepared {
                file,
                name,
                _naming: None,
            })),
            Err(error) if is_full(&error) => {
                self.note_disk_full(true);
                Ok(None)
            }
            Err(error) => Err(StoreError::device("creating a log segment", error)),
        }
    }

    /// Looks whether there is space for another segment, now that the spare one is in use.
    pub(super) async fn look_for_space(&self) {
        // If the file system does not say, making the next spare segment will.
        if let Ok(space) = self.device.space().await
            && space.free_bytes < self.segment_bytes
        {
            self.note_disk_full(true);
        }
    }

    /// Asks for a spare segment if there is none.
    pub(super) fn want_spare(&self) {
        let missing = self.spare.file.lock().is_none();
        if missing && !self.spare.wanted.swap(true, Ordering::AcqRel) {
            self.rolled.notify_one();
        }
    }

    /// Whether there is neither a spare segment nor space for one.
    pub(crate) fn is_short(&self) -> bool {
        self.spare.disk_full.load(Ordering::Acquire) && self.spare.file.lock().is_none()
    }

    /// Whether the log has no room for what new writes need, but for what gives space back.
    pub(crate) fn refuses_writes(&self) -> bool {
        self.is_short() && self.rest_bytes() < self.segment_bytes / 4 * 3
    }

    /// Whether the log takes what gives space back, and commits.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] while the log is used up.
    pub(crate) fn check_room(&self) -> Result<(), StoreError> {
        if self.used_up.load(Ordering::Acquire) {
            return Err(StoreError::NoSpace);
        }
        Ok(())
    }

    /// Bytes of the spare segment, if there is one.
    pub(crate) fn spare_bytes(&self) -> u64 {
        if self.spare.file.lock().is_some() {
            self.segment_bytes
        } else {
            0
        }
    }

    /// Makes the spare segment that was asked for; it stays asked for until there is space. To be called by one task at a
    /// time, the one that also retires segments.
    pub(crate) async fn prepare_spare(&self) -> Result<(), StoreError> {
        if !self.spare.wanted.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        if self.spare.file.lock().is_some() {
            self.note_disk_full(false);
            return Ok(());
        }
        let made = self.make_spare().await;
        let is_full = matches!(made, Ok(false));
        if !matches!(made, Ok(true)) {
            self.spare.wanted.store(true, Ordering::Release);
        }
        if made.is_ok() {
            self.note_disk_full(is_full);
        }
        made.map(drop)
    }

    /// False if there is no space for it.
    async fn make_spare(&self) -> Result<bool, StoreError> {
        let error = |error| StoreError::device("preparing a log segment", error);
        // Under a name of its own: the writer may need a file meanwhile.
        let name = SEGMENT_ZEROING_NAME;
        let file = match self.device.create(name, self.segment_bytes).await {
            Err(full) if is_full(&full) => return Ok(false),
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
        let _naming = self.spare.naming.lock().await;
        self.device
            .rename(name, SEGMENT_SPARE_NAME)
            .await
            .map_err(error)?;
        self.device.sync_directory().await.map_err(error)?;
        *self.spare.file.lock() = Some(file);
        Ok(true)
    }

    /// Makes a segment that is no longer needed the spare one, or deletes it if there is one.
    pub(super) async fn retire_segment(&self, segment: &Segment) -> Result<(), StoreError> {
        let name = segment_name(segment.number);
        let error = |error| StoreError::device(format!("retiring {name}"), error);
        let _naming = self.spare.naming.lock().await;
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

    pub(super) fn note_used_up(&self, is_used_up: bool) {
        let was_used_up = self.used_up.swap(is_used_up, Ordering::AcqRel);
        if is_used_up && !was_used_up {
            tracing::error!(
                target_label = self.label,
                "the log is used up and there is no space for another segment; commits and removals are refused, too"
            );
        }
    }

    fn note_disk_full(&self, is_full: bool) {
        let was_full = self.spare.disk_full.swap(is_full, Ordering::AcqRel);
        let label = &self.label;
        if is_full && !was_full {
            tracing::error!(
                target_label = label,
                "no space for another log segment; new writes are refused once a quarter of the present one is used"
            );
            self.spare.wanted.store(true, Ordering::Release);
            self.rolled.notify_one();
        } else if was_full && !is_full {
            tracing::info!(target_label = label, "there is space for the log again");
        }
    }
}

/// Whether an operation failed because there is no space.
fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}
