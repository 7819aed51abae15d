//! Each operation of the data plane as a call of the store.

use std::sync::Arc;

use sluice_fabric::CancellationToken;
use sluice_store::{CheckReport, Store, StoreError};
use sluice_types::{ChunkId, InodeId, Payload};
use sluice_wire::storage::{
    ChunkStatus, FileStatus, ScrubStep, StorageOperation, StorageOutcome, TargetStatus,
};

/// The most chunks in one page of a list, so that a reply's header stays within what the fabric carries.
const LIST_PAGE_MAX: u32 = 4096;

/// The most bytes one scrub step reads, so that a step ends within a request's deadline.
const SCRUB_STEP_BYTES_MAX: u64 = 64 << 20;

/// Carries out `operation`; the payload is the bytes of a write, and of a read's answer. What its asker has `given_up`
/// before it began is not begun: it may come after something newer.
pub(crate) async fn carry_out(
    store: &Arc<Store>,
    operation: StorageOperation,
    payload: Payload,
    given_up: &CancellationToken,
) -> Result<(StorageOutcome, Payload), StoreError> {
    if given_up.is_cancelled() {
        return Err(StoreError::GivenUp);
    }
    let outcome = match operation {
        StorageOperation::Write {
            chunk,
            range,
            stability,
        } => {
            if range.length as usize != payload.len() {
                return Err(StoreError::Invalid("range and payload differ in length"));
            }
            let write = store.write_unless(given_up, chunk, range.start, payload, stability);
            write.await?;
            StorageOutcome::Written
        }
        StorageOperation::Read { chunk, range } => {
            let payload = store.read(chunk, range).await?;
            return Ok((StorageOutcome::Read, payload));
        }
        StorageOperation::Commit { inode } => {
            let done = store.commit(inode).await?;
            StorageOutcome::Committed(FileStatus {
                end: done.end,
                allocated_bytes: done.allocated_bytes,
            })
        }
        StorageOperation::Truncate {
            inode,
            chunk,
            length,
        } => {
            store.truncate(inode, chunk, length).await?;
            StorageOutcome::Truncated
        }
        StorageOperation::Remove { inode } => {
            store.remove(inode).await?;
            StorageOutcome::Removed
        }
        StorageOperation::FileStatus { inode } => {
            StorageOutcome::FileStatus(file_status(store, inode))
        }
        StorageOperation::List { after, limit } => list(store, after, limit),
        StorageOperation::TargetStatus => StorageOutcome::TargetStatus(target_status(store).await?),
        StorageOperation::Scrub {
            after,
            budget_bytes,
        } => scrub(store, after, budget_bytes).await?,
        StorageOperation::Check => StorageOutcome::Check(check(store).await?),
    };
    Ok((outcome, Payload::new()))
}

fn file_status(store: &Arc<Store>, inode: InodeId) -> FileStatus {
    let status = store.file_status(inode);
    FileStatus {
        end: status.end,
        allocated_bytes: status.allocated_bytes,
    }
}

fn list(store: &Arc<Store>, after: Option<ChunkId>, limit: u32) -> StorageOutcome {
    let limit = limit.clamp(1, LIST_PAGE_MAX) as usize;
    let entries = store.list(after, limit);
    let end = entries.len() < limit;
    let chunks = entries.into_iter().map(|entry| ChunkStatus {
        chunk: entry.chunk,
        length: entry.length,
        version: entry.version,
        allocated_bytes: entry.allocated_bytes,
    });
    StorageOutcome::List {
        chunks: chunks.collect(),
        end,
    }
}

async fn target_status(store: &Arc<Store>) -> Result<TargetStatus, StoreError> {
    let status = store.status();
    let failed = status.failed.is_some();
    // A target that is out of service can still say so, though not how much space it has.
    let space = match store.statfs().await {
        Ok(space) => Some(space),
        Err(_) if failed => None,
        Err(error) => return Err(error),
    };
    Ok(TargetStatus {
        capacity_bytes: space.as_ref().map_or(0, |space| space.capacity_bytes),
        used_bytes: space.as_ref().map_or(0, |space| space.used_bytes),
        chunks: status.chunks,
        unstable_bytes: status.dirty_bytes,
        device_errors: status.device_errors,
        checksum_errors: status.checksum_errors,
        failed,
    })
}

async fn scrub(
    store: &Arc<Store>,
    after: Option<ChunkId>,
    budget_bytes: u64,
) -> Result<StorageOutcome, StoreError> {
    let report = store
        .scrub(after, budget_bytes.min(SCRUB_STEP_BYTES_MAX))
        .await?;
    for damage in &report.errors {
        tracing::error!(chunk = %damage.chunk, error = %damage.error, "scrub found damaged data");
    }
    let mut damaged: Vec<ChunkId> = report.errors.iter().map(|damage| damage.chunk).collect();
    damaged.dedup();
    Ok(StorageOutcome::Scrub(ScrubStep {
        checked_bytes: report.checked_bytes,
        damaged,
        next: report.next,
    }))
}

async fn check(store: &Arc<Store>) -> Result<Vec<String>, StoreError> {
    let checked = Arc::clone(store);
    // Seconds for millions of chunks: not for a thread that serves.
    let report = tokio::task::spawn_blocking(move || checked.check()).await;
    let CheckReport {
        leaked_blocks,
        conflicting_blocks,
        misreserved_blocks,
        ..
    } = report.map_err(|_| StoreError::Closed)?;
    let findings = [
        (
            leaked_blocks,
            "blocks are marked as taken but belong to no chunk",
        ),
        (
            conflicting_blocks,
            "blocks belong to two chunks, or to one and are marked as free",
        ),
        (
            misreserved_blocks,
            "blocks are set aside for writes that are not there",
        ),
    ];
    let wrong = findings.into_iter().filter(|(blocks, _)| *blocks > 0);
    Ok(wrong
        .map(|(blocks, what)| format!("{blocks} {what}"))
        .collect())
}
