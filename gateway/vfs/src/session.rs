//! Write sessions: how they begin, how the metadata service is told, how they end.

use std::sync::Arc;

use sluice_types::{FileKind, FsError, Mode};
use sluice_wire::meta::{BeginWrite, UpdateWritten};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::Caller;
use crate::core::Core;
use crate::file_state::FileState;

/// How often a telling is repeated because the file got another data version meanwhile: each time somebody began to
/// write it anew.
const TELLINGS_MAX: u32 = 8;

impl Core {
    /// Begins the file's write session unless it has one, with the permission check and the clearing of set-id bits that a
    /// write by this caller means. Needs the shared guard.
    pub(crate) async fn ensure_session(
        &self,
        file: &FileState,
        caller: &Caller,
    ) -> Result<(), FsError> {
        if must_begin(file, caller) {
            self.begin_session(file, caller).await?;
        }
        match file.with_session(|session| session.is_uncut()) {
            // A truncation that the client was told to send again was carried out just before.
            Some(true) => Err(FsError::Busy),
            _ => Ok(()),
        }
    }

    async fn begin_session(&self, file: &FileState, caller: &Caller) -> Result<(), FsError> {
        let _turn = file.opening.lock().await;
        if !must_begin(file, caller) {
            return Ok(());
        }
        let permit = match file.has_session() {
            true => None,
            false => Some(self.session_permit().await?),
        };
        let inode = file.inode();
        let beginning = self.changing(inode);
        let changes = vec![self.changing(inode)];
        let context = self.as_helper(caller);
        let node = self.change(&context, BeginWrite { inode }, changes).await?;
        if node.attributes.kind != FileKind::Regular {
            return Err(FsError::Internal);
        }
        file.begin(node, permit, self.clock.monotonic());
        // Only now: whoever finds the cache empty finds the session.
        drop(beginning);
        self.metrics.sessions_begun.increment(1);
        Ok(())
    }

    /// A place among the sessions that may be open.
    async fn session_permit(&self) -> Result<OwnedSemaphorePermit, FsError> {
        let permit = Arc::clone(&self.sessions).acquire_owned();
        match timeout(self.config.session_wait, permit).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(FsError::Busy),
        }
    }

    /// Tells the metadata service all writes up to number `need`. Those who come while it is being told wait,
    /// and mostly find that the next telling, which covers all of them, was done by one of them.
    pub(crate) async fn report(&self, file: &FileState, need: u64) -> Result<(), FsError> {
        let _turn = file.reporting.lock().await;
        self.tell(file, need, false).await
    }

    /// Ends the file's session, if it has one and holds nothing unstable. Needs the exclusive guard.
    pub(crate) async fn end_session(&self, file: &FileState) -> Result<(), FsError> {
        let _turn = file.reporting.lock().await;
        let endable = file.with_session(|session| session.is_endable());
        if endable != Some(true) {
            return Ok(());
        }
        self.tell(file, 0, true).await?;
        // What it was told may have put the inode in doubt.
        if file.with_session(|session| session.is_endable()) == Some(false) {
            return Err(FsError::Busy);
        }
        // The telling made the cache forget the file; from here on it may be remembered again.
        file.end();
        Ok(())
    }

    /// Makes all unstable data of a file being written durable and tells the metadata service.
    pub(crate) async fn commit_session(&self, file: &FileState) -> Result<(), FsError> {
        self.commit_unstable(file).await?;
        self.flush(file).await
    }

    /// Ends the file's session, if it has one, after making durable what is unstable. Needs the exclusive guard, and nothing
    /// of a failed write beyond the size.
    pub(crate) async fn close_session(&self, file: &FileState) -> Result<(), FsError> {
        self.commit_unstable(file).await?;
        self.end_session(file).await
    }

    async fn commit_unstable(&self, file: &FileState) -> Result<(), FsError> {
        let state = file.with_session(|session| {
            let node = &session.node;
            (node.clone(), session.sequence(), session.commit_scope())
        });
        let Some((node, sequence, scope)) = state else {
            return Ok(());
        };
        if let Some(scope) = scope {
            let committing = self.backend.commit(node.id, &node.layout, scope);
            let mut receipt = committing.await?;
            file.with_session(|session| {
                // Nobody kept the file from being cut meanwhile.
                if session.node.data_version != node.data_version {
                    receipt.allocated_bytes = None;
                }
                session.committed(sequence, &receipt);
            });
        }
        Ok(())
    }

    /// Tells the metadata service all there is.
    pub(crate) async fn flush(&self, file: &FileState) -> Result<(), FsError> {
        match file.with_session(|session| session.sequence()) {
            Some(sequence) => self.report(file, sequence).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, file: &FileState, need: u64, end: bool) -> Result<(), FsError> {
        for _ in 0..TELLINGS_MAX {
            let report = file.with_session(|session| session.report(need, end));
            let Some(report) = report.flatten() else {
                // Nothing is told while the inode is in doubt, even if there is something to tell.
                return match file.with_session(|session| session.is_untold(need)) {
                    Some(true) => Err(FsError::Busy),
                    _ => Ok(()),
                };
            };
            let update: UpdateWritten = report.update;
            let changes = vec![self.changing(file.inode())];
            let told = self.change(&self.as_gateway(), update, changes).await?;
            self.metrics.reports.increment(1);
            let at = self.clock.monotonic();
            let counts = file.with_session(|session| session.reported(&report, &told.after, at));
            // Without a session there is nothing left to tell.
            if counts.unwrap_or(true) {
                return Ok(());
            }
        }
        Err(FsError::Busy)
    }
}

/// Whether a write by this caller needs `BeginWrite`: there is no session yet, or one of which it is not known whether the
/// metadata service ended it, or there are set-id bits to clear.
fn must_begin(file: &FileState, caller: &Caller) -> bool {
    let state = file.with_session(|session| {
        let attributes = &session.node.attributes;
        (attributes.mode, attributes.gid, session.is_ending())
    });
    let Some((mode, gid, false)) = state else {
        return true;
    };
    let credentials = &caller.credentials;
    // A member of the group keeps set-group-id without group execution: it is no privilege.
    let clears_group = mode.has(0o010) || !credentials.in_group(gid);
    let clears = mode.has(Mode::SET_UID) || (mode.has(Mode::SET_GID) && clears_group);
    clears && !credentials.is_root()
}
