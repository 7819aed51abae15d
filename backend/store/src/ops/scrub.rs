//! Scrubbing: reading what is stored to find damage before a client does.

use sluice_types::ChunkId;

use crate::format::{BLOCK_BYTES, Extent};
use crate::{Store, StoreError};

/// Extents read together.
const EXTENTS_PER_READ: usize = 16;
/// Chunks looked up at once.
const CHUNKS_PER_PAGE: usize = 256;

/// One damaged extent.
#[derive(Clone, Debug)]
pub struct ScrubError {
    /// The chunk it belongs to.
    pub chunk: ChunkId,
    /// What is wrong.
    pub error: StoreError,
}

/// What a step of scrubbing found.
#[derive(Clone, Debug, Default)]
pub struct ScrubReport {
    /// Bytes that were read and verified.
    pub checked_bytes: u64,
    /// Damage.
    pub errors: Vec<ScrubError>,
    /// Where to go on; none: everything was looked at.
    pub next: Option<ChunkId>,
}

impl Store {
    /// Verifies stored chunks after `after` until about `budget_bytes` were read. What the device does not read is damage
    /// like any other.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the target is or goes out of service.
    pub async fn scrub(
        &self,
        after: Option<ChunkId>,
        budget_bytes: u64,
    ) -> Result<ScrubReport, StoreError> {
        let mut report = ScrubReport {
            next: after,
            ..ScrubReport::default()
        };
        loop {
            let page = self.list(report.next, CHUNKS_PER_PAGE);
            let last_page = page.len() < CHUNKS_PER_PAGE;
            for entry in page {
                self.failure.check()?;
                self.scrub_chunk(entry.chunk, &mut report).await?;
                report.next = Some(entry.chunk);
                if report.checked_bytes >= budget_bytes {
                    return Ok(report);
                }
            }
            if last_page {
                report.next = None;
                return Ok(report);
            }
        }
    }

    async fn scrub_chunk(
        &self,
        chunk: ChunkId,
        report: &mut ScrubReport,
    ) -> Result<(), StoreError> {
        let (mut extents, _reading) = {
            let shard = self.index.shard(chunk.inode);
            let Some(known) = shard.chunks.get(&chunk) else {
                return Ok(());
            };
            (known.extents.to_vec(), self.epochs.enter())
        };
        extents.sort_unstable_by_key(Extent::address);
        extents.dedup_by_key(|extent| extent.address());
        for extents in extents.chunks(EXTENTS_PER_READ) {
            // The store's own pool: scrubbing takes nothing from readers, and keeps nothing.
            let read = self.slabs.read(extents, &self.device.pools().writes).await;
            let read = read?;
            self.count_reads(chunk, &read);
            for parent in read {
                match parent {
                    Ok(bytes) => report.checked_bytes += bytes.len() as u64,
                    Err(damaged) => {
                        report.checked_bytes +=
                            u64::from(damaged.extent.parent_blocks()) * BLOCK_BYTES as u64;
                        let counted: Result<(), _> = self.counted(Err(damaged.into_error(chunk)));
                        report
                            .errors
                            .extend(counted.err().map(|error| ScrubError { chunk, error }));
                    }
                }
            }
        }
        Ok(())
    }
}
