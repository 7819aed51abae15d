//! Makes a file's unstable data durable.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use sluice_types::{BootId, FsError, InodeId, Layout, Payload, TargetId, WriteVerifier};
use sluice_wire::storage::{FileStatus, StorageOperation, StorageOutcome};

use crate::Client;
use crate::route::Route;

/// Whom a commit asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitScope {
    /// Every target of the file's layout.
    All,
    /// These targets; such as are not of the layout are left out.
    Only(BTreeSet<TargetId>),
}

/// A commit that storage carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitReceipt {
    /// The verifier of the file's targets, with the boots in which they answered this commit.
    pub verifier: WriteVerifier,
    /// Where the file's data ends, as far as the targets asked know.
    pub end_bytes: u64,
    /// Space that the file takes, if all its targets were asked.
    pub allocated_bytes: Option<u64>,
}

impl Client {
    /// Makes the unstable data of a file durable on the targets in `scope`, in parallel.
    ///
    /// # Errors
    /// The first target's error: [`FsError::NoSpace`], [`FsError::Io`], or [`FsError::Unavailable`] if a
    /// target is away until the deadline.
    pub async fn commit(
        &self,
        inode: InodeId,
        layout: &Layout,
        scope: CommitScope,
    ) -> Result<CommitReceipt, FsError> {
        let targets = self.targets_of(layout)?;
        let asked: Vec<TargetId> = match &scope {
            CommitScope::All => targets.clone(),
            CommitScope::Only(only) => targets
                .iter()
                .copied()
                .filter(|target| only.contains(target))
                .collect(),
        };
        let commits = asked
            .iter()
            .copied()
            .map(|target| self.commit_target(inode, target));
        let commits = stream::iter(commits).buffered(self.config.pieces_per_call_max.max(1));
        let results: Vec<Result<_, FsError>> = commits.collect().await;
        let commits = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        let own: Vec<_> = commits
            .iter()
            .map(|(target, boot, _)| (*target, *boot))
            .collect();
        let statuses = || commits.iter().map(|(_, _, status)| status);
        let allocated = statuses().map(|status| status.allocated_bytes).sum();
        Ok(CommitReceipt {
            verifier: self.verifier_after(layout, &own).await?,
            end_bytes: statuses()
                .map(|status| end_bytes(layout, status))
                .max()
                .unwrap_or(0),
            allocated_bytes: (asked.len() == targets.len()).then_some(allocated),
        })
    }

    async fn commit_target(
        &self,
        inode: InodeId,
        target: TargetId,
    ) -> Result<(TargetId, BootId, FileStatus), FsError> {
        let operation = StorageOperation::Commit { inode };
        let answer = self
            .request(Route::To(target), operation, Payload::new())
            .await?;
        match answer.outcome {
            StorageOutcome::Committed(status) => Ok((target, answer.boot, status)),
            _ => Err(FsError::Internal),
        }
    }
}

/// The end of a file's data by what one target holds, in bytes.
pub(crate) fn end_bytes(layout: &Layout, status: &FileStatus) -> u64 {
    let chunk_size = u64::from(layout.chunk_size.bytes());
    let end = status
        .end
        .map(|(chunk, length)| u64::from(chunk.raw()) * chunk_size + u64::from(length));
    end.unwrap_or(0)
}
