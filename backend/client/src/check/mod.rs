//! Compares what metadata and storage say of each other, for `sluice admin check`.
//!
//! The inodes and each target's chunks are listed in inode order, page by page, and merged, so memory is bounded by
//! a page of each. What looks wrong is asked for again before it is reported, in an order that rules out that it
//! only changed while the check ran; so a check of a file system in use reports only what is wrong.
//!
//! Found are: chunks of no inode, chunks on a target where the layout does not put them, chunks beyond the end of
//! a file that nobody is writing or cutting, and whatever the targets' and the metadata service's own checks
//! find. A chunk that is missing cannot be told from a hole.

mod confirm;
mod cursor;

use std::future::Future;
use std::time::Duration;

use sluice_types::{FileKind, FsError, Inode, TargetId};
use sluice_wire::meta::{CallContext, CheckMetadata, MetadataExt};
use sluice_wire::storage::{ChunkStatus, StorageOperation, StorageOutcome};

use crate::Client;
use confirm::Confirmer;
use cursor::{ChunkCursor, InodeCursor};

/// How long a target's own check may take.
const TARGET_CHECK_DEADLINE: Duration = Duration::from_secs(600);
/// Problems kept in words; more are only counted.
const PROBLEMS_MAX: usize = 10_000;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Inodes seen.
    pub inodes: u64,
    /// Regular files among them.
    pub files: u64,
    /// Chunks seen on all targets.
    pub chunks: u64,
    /// Space they take, in bytes.
    pub allocated_bytes: u64,
    /// What is wrong, in words; the first ten thousand.
    pub problems: Vec<String>,
    /// How much is wrong in all.
    pub problems_total: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems_total == 0
    }

    fn add(&mut self, problem: String) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// Checks the whole file system; `progress` is shown the report as it grows, once for each page of inodes.
///
/// # Errors
/// That of the metadata service if it cannot be asked. A target that cannot be asked is a problem in the report.
pub fn run(
    client: &Client,
    progress: impl FnMut(&CheckReport) + Send,
) -> impl Future<Output = Result<CheckReport, FsError>> + Send {
    // Not an `async fn`, so that it is shown here that it may move between threads.
    check_all(client, progress)
}

async fn check_all(
    client: &Client,
    mut progress: impl FnMut(&CheckReport) + Send,
) -> Result<CheckReport, FsError> {
    let mut report = CheckReport::default();
    check_metadata(client, &mut report).await?;
    let mut chunks = Vec::new();
    for target in &client.map().targets {
        // Asked shortly first: its check has a long deadline, and would be tried again all that time.
        match client.target_status(target.id).await {
            Ok(_) => chunks.push(ChunkCursor::new(target.id)),
            Err(error) => report.add(format!("target {} cannot be checked: {error}", target.id)),
        }
    }
    for cursor in &chunks {
        check_target(client, cursor.target(), &mut report).await;
    }
    let mut merge = Merge {
        client,
        chunks,
        confirmer: Confirmer::new(client),
        report,
    };
    let mut inodes = InodeCursor::default();
    while let Some(nodes) = inodes.next_page(client).await? {
        for node in nodes {
            merge.report.inodes += 1;
            merge.report.files += u64::from(node.attributes.kind == FileKind::Regular);
            merge.up_to(Some(node)).await?;
        }
        progress(&merge.report);
    }
    merge.up_to(None).await?;
    progress(&merge.report);
    Ok(merge.report)
}

async fn check_metadata(client: &Client, report: &mut CheckReport) -> Result<(), FsError> {
    let found = client
        .meta()
        .run(&CallContext::internal(), CheckMetadata)
        .await?;
    for problem in found.problems {
        report.add(format!("metadata: {problem}"));
    }
    Ok(())
}

async fn check_target(client: &Client, target: TargetId, report: &mut CheckReport) {
    let operation = StorageOperation::Check;
    let checked = client
        .target_request_within(TARGET_CHECK_DEADLINE, target, operation)
        .await;
    match checked {
        Ok(StorageOutcome::Check(problems)) => {
            for problem in problems {
                report.add(format!("target {target}: {problem}"));
            }
        }
        Ok(_) => report.add(format!("target {target}: its check gave no result")),
        Err(error) => report.add(format!("target {target} cannot be checked: {error}")),
    }
}

/// The merge of inodes and chunks in inode order.
struct Merge<'a> {
    client: &'a Client,
    chunks: Vec<ChunkCursor>,
    confirmer: Confirmer<'a>,
    report: CheckReport,
}

impl Merge<'_> {
    /// Looks at all chunks of inodes up to `node`; all that are left if it is `None`.
    async fn up_to(&mut self, node: Option<Inode>) -> Result<(), FsError> {
        let last = node.as_ref().map(|node| node.id);
        for index in 0..self.chunks.len() {
            let target = self.chunks[index].target();
            loop {
                let next = match self.chunks[index].next_up_to(self.client, last).await {
                    Ok(next) => next,
                    Err(error) => {
                        self.report
                            .add(format!("target {target} cannot be listed: {error}"));
                        None
                    }
                };
                let Some(chunk) = next else {
                    break;
                };
                let node = node.as_ref().filter(|node| node.id == chunk.chunk.inode);
                self.look_at(target, &chunk, node).await?;
            }
        }
        Ok(())
    }

    async fn look_at(
        &mut self,
        target: TargetId,
        chunk: &ChunkStatus,
        node: Option<&Inode>,
    ) -> Result<(), FsError> {
        self.report.chunks += 1;
        self.report.allocated_bytes += chunk.allocated_bytes;
        let problem = match node {
            Some(node) if confirm::problem(&self.client.map(), node, target, chunk).is_none() => {
                None
            }
            Some(_) => self.confirmer.of_known(target, chunk.chunk).await?,
            None => self.confirmer.of_unknown(target, chunk.chunk).await?,
        };
        if let Some(problem) = problem {
            self.report.add(problem);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
