//! Background work on write sessions: sizes and times are told about once a second, unstable data that nobody
//! commits is committed in the end, and sessions of files that are left alone are ended.
//!
//! Whatever fails is counted and tried again at the next round. When sessions run short, those with nothing unstable are
//! ended at once.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use sluice_types::FsError;
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

/// What a session needs.
enum Need {
    End,
    Commit,
    Report,
}

impl Sweeper {
    pub(crate) fn start(core: &Arc<Core>) -> Self {
        let stop = Arc::new(Notify::new());
        let shortest = core.config.report_interval.min(core.config.session_idle);
        let tick = (shortest / 4).clamp(Duration::from_millis(1), Duration::from_millis(250));
        let (core, stopped) = (Arc::downgrade(core), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(tick) => {}
                    () = stopped.notified() => return,
                }
                let Some(core) = core.upgrade() else {
                    return;
                };
                core.sweep().await;
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
    async fn sweep(self: &Arc<Self>) {
        self.end_uncertain_changes();
        let memory = self.config.settle_failure_memory;
        self.files
            .forget_settle_failures(self.clock.monotonic(), memory);
        let files = self.files.with_sessions();
        self.metrics.sessions.set(files.len() as f64);
        stream::iter(files)
            .for_each_concurrent(self.config.reports_in_flight_max, |file| async move {
                match self.serve(&file).await {
                    Ok(()) => {}
                    // Removed by a call of which it was not known whether it was carried out.
                    Err(FsError::Stale) => {
                        let _guard = file.exclude().await;
                        file.remove();
                    }
                    Err(error) => {
                        self.metrics.sweep_errors.increment(1);
                        tracing::debug!(%error, inode = %file.inode(), "a write session could not be served now");
                    }
                }
            })
            .await;
    }

    async fn serve(&self, file: &FileRef) -> Result<(), FsError> {
        match self.need(file) {
            None => Ok(()),
            Some(Need::Report) => self.flush(file).await,
            Some(Need::Commit) => self.commit_session(file).await,
            Some(Need::End) => {
                let Some(_guard) = file.try_exclude() else {
                    return Ok(());
                };
                match self.need(file) {
                    Some(Need::End) => {
                        self.settle_guarded(file).await?;
                        self.end_session(file).await
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn need(&self, file: &FileState) -> Option<Need> {
        let now = self.clock.monotonic();
        let config = &self.config;
        let short = self.sessions.available_permits() < config.sessions_max / 8;
        let idle = if short {
            Duration::ZERO
        } else {
            config.session_idle
        };
        let need = file.with_session(|session| {
            if session.commit_scope().is_none() && session.is_idle(now, idle) {
                Some(Need::End)
            } else if session.is_idle(now, config.commit_idle) {
                Some(Need::Commit)
            } else if session.is_report_due(now, config.report_interval) {
                Some(Need::Report)
            } else {
                None
            }
        });
        need.flatten()
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
