//! Finishing what a session that has ended left open, before a file is trusted.
//!
//! Such a file is taken over first: from then on nobody else changes its data. A truncation that was recorded but not cut on
//! storage is cut then: else storage would count bytes that are gone. Then storage makes all it has of the file durable
//! and says where it ends: so an acknowledged write counts even if the gateway died before it told anyone. The file gets
//! a new modification time with the taking over, because nobody knows which writes came after the last report, and
//! clients must not take old pages for new.
//!
//! If that fails, it mostly took long: a storage target is away. Whoever waited for it meanwhile, or comes soon after, gets
//! the same answer at once; else calls to one file would wait for one another, each as long as the first.

use sluice_client::CommitScope;
use sluice_types::{FsError, Inode, InodeId};
use sluice_wire::meta::{BeginWrite, FinishTrim, UpdateWritten};

use crate::core::Core;
use crate::file_state::FileState;

impl Core {
    /// Finishes what was left open of a file. Waits for the exclusive guard.
    pub(crate) async fn settle(&self, file: &FileState) -> Result<(), FsError> {
        let _guard = file.exclude().await;
        self.settle_guarded(file).await.map(drop)
    }

    /// The same for a caller that has the exclusive guard; gives the inode as it is then.
    pub(crate) async fn settle_guarded(&self, file: &FileState) -> Result<Inode, FsError> {
        if file.is_removed() {
            return Err(FsError::Stale);
        }
        let memory = self.config.settle_failure_memory;
        if let Some(error) = file.settle_failure(self.clock.monotonic(), memory) {
            return Err(error);
        }
        let settled = self.finish_what_was_left(file).await;
        file.note_settled(settled.as_ref().err().copied(), self.clock.monotonic());
        settled
    }

    async fn finish_what_was_left(&self, file: &FileState) -> Result<Inode, FsError> {
        if file.is_doubtful() {
            return self.trim(file).await;
        }
        if let Some(node) = file.node() {
            self.cut_overhang(file, &node).await?;
            return match node.pending_trim {
                None => Ok(node),
                Some(_) => self.trim(file).await,
            };
        }
        if let Some(node) = self.remembered(file.inode()) {
            return Ok(node);
        }
        let node = self.ask_node(file.inode()).await?;
        if node.writer.raw() == 0 {
            return Ok(node);
        }
        if node.writer != self.backend.session() {
            // What its session may still have on the way to storage must not come later.
            self.backend.renew_session().await?;
        }
        let node = self.take_over(file.inode()).await?;
        let node = self.cut_pending(file, node, false).await?;
        self.recover(file, &node).await
    }

    /// Becomes the writer of a file whose writer's session has ended, or was forgotten here. It gets a new data version: what
    /// was asked for before, and has yet to come, names the old one and is refused.
    async fn take_over(&self, inode: InodeId) -> Result<Inode, FsError> {
        let changes = vec![self.changing(inode)];
        let begin = BeginWrite { inode };
        self.change(&self.as_gateway(), begin, changes).await
    }

    /// Cuts storage if a truncation is pending, and gives the inode as the metadata service has it then. The session, if
    /// there is one, takes it over; so all its writes must have been reported. Needs the exclusive guard.
    ///
    /// A session in doubt gets a new data version with it: a truncation that has yet to come names the old one, and is
    /// refused.
    pub(crate) async fn trim(&self, file: &FileState) -> Result<Inode, FsError> {
        let inode = file.inode();
        let node = match file.is_doubtful() {
            true => self.take_over(inode).await?,
            false => self.ask_node(inode).await?,
        };
        file.with_session(|session| session.adopt(node.clone()));
        self.cut_pending(file, node, !file.has_session()).await
    }

    /// Cuts storage if a truncation is pending; with `end`, nobody writes the file then.
    async fn cut_pending(
        &self,
        file: &FileState,
        mut node: Inode,
        end: bool,
    ) -> Result<Inode, FsError> {
        let inode = node.id;
        if let Some(trimmed_to) = node.pending_trim {
            self.backend
                .truncate(inode, &node.layout, trimmed_to)
                .await?;
            let finish = FinishTrim {
                inode,
                data_version: node.data_version,
                trimmed_to,
                end,
            };
            let changes = vec![self.changing(inode)];
            node = self.change(&self.as_gateway(), finish, changes).await?;
            file.with_session(|session| session.adopt(node.clone()));
            self.metrics.trims.increment(1);
        }
        Ok(node)
    }

    /// Cuts what a failed write may have left beyond the size.
    async fn cut_overhang(&self, file: &FileState, node: &Inode) -> Result<(), FsError> {
        if file.with_session(|session| session.has_overhang()) == Some(true) {
            let size_bytes = node.attributes.size_bytes;
            self.backend
                .truncate(node.id, &node.layout, size_bytes)
                .await?;
            file.with_session(|session| session.overhang_cut());
        }
        Ok(())
    }

    /// Finds out where a file that was taken over ends, and ends the writing.
    async fn recover(&self, file: &FileState, node: &Inode) -> Result<Inode, FsError> {
        let inode = file.inode();
        let scope = CommitScope::All;
        let receipt = self.backend.commit(inode, &node.layout, scope).await?;
        let update = UpdateWritten {
            inode,
            data_version: node.data_version,
            size_bytes_min: receipt.end_bytes,
            used_bytes: receipt.allocated_bytes,
            // That it may have been written was noted when it was taken over.
            modified: None,
            end: true,
        };
        let changes = vec![self.changing(inode)];
        let changed = self.change(&self.as_gateway(), update, changes).await?;
        if changed.after.data_version != node.data_version {
            // A `BeginWrite` that was thought to be lost came after all, or the session has ended.
            return Err(FsError::Busy);
        }
        self.metrics.recoveries.increment(1);
        tracing::debug!(%inode, size_bytes = changed.after.attributes.size_bytes, "settled a file of a lost writer");
        Ok(changed.after)
    }
}
