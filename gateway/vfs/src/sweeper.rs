//! Background work on write sessions: sizes and times are told about once a second, unstable data that nobody
//! commits is committed in the end, and sessions of files that are left alone are ended.
//!
//! Whatever fails is counted and tried again later. When sessions run short, those with nothing unstable are ended at once.
//!
//! A round, four times a report's interval or more often, waits for the metadata service alone. What needs storage is done
//! in tasks of its own, at most one for a file and [`crate::VfsConfig::storage_work_in_flight_max`] in all: targets that are
//! away hold up neither the reports nor the ends of other files. After a failure a file's work rests for
//! [`crate::VfsConfig::storage_work_pause`], so that others get its place. Each round goes on behind the file that got the
//! last place: all get one in turn, however many files of a target that is away ask again and again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use sluice_types::{FsError, InodeId};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::core::Core;
use crate::file_state::FileState;
use crate::file_table::FileRef;

/// The running sweeper.
pub(crate) struct Sweeper {
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

/// What a session needs of the metadata service.
enum Need {
    End,
    Report,
}

/// What a session needs of storage.
enum StorageNeed {
    Commit,
    Settle,
}

impl Sweeper {
    pub(crate) fn start(core: &Arc<Core>) -> Self {
        let stop = Arc::new(Notify::new());
        let shortest = core.config.report_interval.min(core.config.session_idle);
        let tick = (shortest / 4).clamp(Duration::from_millis(1), Duration::from_millis(250));
        let (core, stopped) = (Arc::downgrade(core), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut last_place = None;
            loop {
                tokio::select! {
                    () = tokio::time::sleep(tick) => {}
                    () = stopped.notified() => return,
                }
                let Some(core) = core.upgrade() else {
                    return;
                };
                core.sweep(&mut last_place).await;
            }
        });
        Self { stop, task }
    }

    /// Lets the round that is under way finish and stops.
    pub(crate) async fn stop(self) {
        self.stop.notify_one();
        let _ = self.task.await;
    }

    /// Stops without waiting.
    pub(crate) fn stop_soon(&self) {
        self.stop.notify_one();
    }
}

impl Core {
    /// A round. `last_place` is the file that got the last place for work on storage.
    async fn sweep(self: &Arc<Self>, last_place: &mut Option<InodeId>) {
        self.end_uncertain_changes();
        let memory = self.config.settle_failure_memory;
        self.files
            .forget_settle_failures(self.clock.monotonic(), memory);
        let mut files = self.files.with_sessions();
        self.metrics.sessions.set(files.len() as f64);
        files.sort_unstable_by_key(|file| file.inode());
        self.begin_storage_works(&files, last_place);
        stream::iter(files)
            .for_each_concurrent(self.config.reports_in_flight_max, |file| async move {
                let served = self.serve(&file).await;
                self.note_served(&file, served);
            })
            .await;
    }

    fn note_served(&self, file: &FileState, served: Result<(), FsError>) {
        match served {
            Ok(()) => {}
            // Removed by a call of which it was not known whether it was carried out.
            Err(FsError::Stale) => {
                if let Some(_guard) = file.try_exclude() {
                    file.remove();
                }
            }
            Err(error) => {
                self.metrics.sweep_errors.increment(1);
                tracing::debug!(%error, inode = %file.inode(), "a write session could not be served now");
            }
        }
    }

    async fn serve(&self, file: &FileState) -> Result<(), FsError> {
        match self.need(file) {
            None => Ok(()),
            Some(Need::Report) => self.flush(file).await,
            Some(Need::End) => match file.try_exclude() {
                Some(_guard) if matches!(self.need(file), Some(Need::End)) => {
                    self.end_session(file).await
                }
                _ => Ok(()),
            },
        }
    }

    fn need(&self, file: &FileState) -> Option<Need> {
        let now = self.clock.monotonic();
        let idle = self.session_idle();
        let need = file.with_session(|session| {
            if session.is_endable() && !session.is_unsettled() && session.is_idle(now, idle) {
                Some(Need::End)
            } else if session.is_report_due(now, self.config.report_interval) {
                Some(Need::Report)
            } else {
                None
            }
        });
        need.flatten()
    }

    fn storage_need(&self, file: &FileState) -> Option<StorageNeed> {
        let now = self.clock.monotonic();
        let idle = self.session_idle();
        let need = file.with_session(|session| {
            if session.commit_scope().is_some() {
                let is_due = session.is_idle(now, self.config.commit_idle);
                is_due.then_some(StorageNeed::Commit)
            } else {
                let is_due = session.is_unsettled() && session.is_idle(now, idle);
                is_due.then_some(StorageNeed::Settle)
            }
        });
        need.flatten()
    }

    /// How long a file must have been left alone for its session to end.
    fn session_idle(&self) -> Duration {
        let short = self.sessions.available_permits() < self.config.sessions_max / 8;
        match short {
            true => Duration::ZERO,
            false => self.config.session_idle,
        }
    }

    /// Gives places to files, which are in the order of their inodes, from the one behind `last_place` on.
    fn begin_storage_works(self: &Arc<Self>, files: &[FileRef], last_place: &mut Option<InodeId>) {
        let (before, behind) =
            files.split_at(files.partition_point(|file| Some(file.inode()) <= *last_place));
        for file in behind.iter().chain(before) {
            if self.begin_storage_work(file) {
                *last_place = Some(file.inode());
            }
        }
    }

    /// Whether the file got a place.
    fn begin_storage_work(self: &Arc<Self>, file: &FileState) -> bool {
        let Some(need) = self.storage_need(file) else {
            return false;
        };
        let Some(mut paused_until) = file.try_storage_work(self.clock.monotonic()) else {
            return false;
        };
        let Ok(place) = Arc::clone(&self.storage_work).try_acquire_owned() else {
            return false;
        };
        let (core, file) = (Arc::clone(self), self.files.acquire(file.inode()));
        tokio::spawn(async move {
            let _place = place;
            let done = core.work_on_storage(&file, need).await;
            if done.is_err() {
                *paused_until = core.clock.monotonic() + core.config.storage_work_pause;
            }
            core.note_served(&file, done);
        });
        true
    }

    async fn work_on_storage(&self, file: &FileState, need: StorageNeed) -> Result<(), FsError> {
        match need {
            StorageNeed::Commit => self.commit_session(file).await,
            StorageNeed::Settle => match file.try_exclude() {
                Some(_guard) => self.settle_guarded(file).await.map(drop),
                None => Ok(()),
            },
        }
    }

    /// Tells the metadata service all there is to tell and ends the sessions that can end. What is unstable is left to the
    /// clients' commits: storage has it, and whoever serves them next asks storage.
    pub(crate) async fn finish_sessions(self: &Arc<Self>) -> Result<(), FsError> {
        let files = self.files.with_sessions();
        let limit = self.config.reports_in_flight_max;
        let finished = stream::iter(files).map(|file| async move {
            let _guard = file.exclude().await;
            self.flush(&file).await?;
            self.end_session(&file).await
        });
        let results: Vec<_> = finished.buffer_unordered(limit).collect().await;
        results.into_iter().collect()
    }
}
