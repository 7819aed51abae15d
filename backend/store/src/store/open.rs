//! Opening: find or make the superblock, replay the log, rebuild index and allocator.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use parking_lot::Mutex;
use sluice_types::{BootId, ChunkId, Clock, InodeId, Rng, TargetId, TargetUuid};

use super::background::{FlushQueue, spawn_background};
use super::{Store, write_superblock};
use crate::allocator::{Allocator, Run};
use crate::budget::Budget;
use crate::device::{Buffer, Device};
use crate::epochs::Epochs;
use crate::failure::Failure;
use crate::format::{
    BLOCK_BYTES, Record, SUPERBLOCK_NAME, Superblock, parse_segment_name, parse_slab_name,
};
use crate::index::{Index, NewPiece, Piece, Shard, cut_extents, live_blocks};
use crate::log::{Log, LogState, recover};
use crate::metrics::StoreMetrics;
use crate::ops::cut_chunk;
use crate::slabs::Slabs;
use crate::{FormatPolicy, StoreConfig, StoreError};

impl Store {
    /// Opens the store on a device, making one if the configuration allows.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the directory contradicts itself; [`StoreError::NotFormatted`] or
    /// [`StoreError::WrongTarget`] if it is not the store that was asked for; [`StoreError::Device`].
    pub async fn open(
        device: Arc<dyn Device>,
        config: StoreConfig,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Arc<Self>, StoreError> {
        config.validate()?;
        let listed = device.list().await;
        let names = listed.map_err(|error| StoreError::device("listing the directory", error))?;
        let (superblock, new) = open_superblock(&device, &config, rng.as_ref(), &names).await?;
        let names = if new { Vec::new() } else { names };
        let mut replay = Replay::new();
        let log_state = if new {
            LogState {
                segments: [].into(),
                next_sequence: 1,
                next_segment: 1,
            }
        } else {
            recover(&device, superblock.uuid, &names, |sequence, record| {
                replay.apply(sequence, record);
                Ok(())
            })
            .await?
        };
        let allocator = Arc::new(Allocator::new(superblock.slab_blocks));
        let slabs =
            Slabs::open(Arc::clone(&device), Arc::clone(&allocator), &config, &names).await?;
        let budget = Arc::new(Budget::new(
            config.dirty_bytes_max,
            config.dirty_bytes_background,
        ));
        let (live_record_bytes, flush_queue) =
            replay.settle(&allocator, &budget, clock.as_ref())?;
        let failure = Arc::new(Failure::default());
        let metrics = Arc::new(StoreMetrics::new(&config.label));
        let log = Arc::new(Log::new(
            Arc::clone(&device),
            Arc::clone(&rng),
            superblock.uuid,
            config.label.clone(),
            config.log_segment_bytes,
            Arc::clone(&failure),
            Arc::clone(&metrics),
            &log_state,
        ));
        let writer = Arc::clone(&log).start(log_state.next_segment).await?;
        if new {
            // Last, so that a store with a superblock always has a log.
            write_superblock(&device, &superblock).await?;
        }
        let store = Arc::new(Self {
            config,
            device,
            clock,
            boot: BootId::new(rng.next_u64()),
            index: replay.index,
            epochs: Epochs::new(Arc::clone(&allocator)),
            allocator,
            slabs,
            log,
            budget,
            failure,
            metrics,
            flush_queue: Mutex::new(flush_queue),
            live_record_bytes: AtomicU64::new(live_record_bytes),
            device_errors: AtomicU64::new(0),
            checksum_errors: AtomicU64::new(0),
            superblock: tokio::sync::Mutex::new(superblock),
            uuid: superblock.uuid,
            versions: AtomicU64::new(replay.version_max + 1),
            tasks: Mutex::new(Vec::new()),
        });
        let tasks = spawn_background(&store, writer);
        *store.tasks.lock() = tasks;
        Ok(store)
    }
}

/// The superblock, and whether it is to be a new store.
async fn open_superblock(
    device: &Arc<dyn Device>,
    config: &StoreConfig,
    rng: &dyn Rng,
    names: &[String],
) -> Result<(Superblock, bool), StoreError> {
    if names.iter().any(|name| name == SUPERBLOCK_NAME) {
        let device_error = |error| StoreError::device("reading the superblock", error);
        let (file, bytes) = device.open(SUPERBLOCK_NAME).await.map_err(device_error)?;
        if bytes != BLOCK_BYTES as u64 {
            return Err(StoreError::Corrupt(format!(
                "superblock: {bytes} bytes, expected {BLOCK_BYTES}"
            )));
        }
        let block = device
            .read_at(file, 0, vec![Buffer::on_heap(BLOCK_BYTES)])
            .await;
        let block = block.map_err(device_error)?;
        device.close(file).await;
        let superblock = Superblock::decode(block[0].as_ref())?;
        return match config.format {
            FormatPolicy::Expect(expected) if expected != superblock.uuid => {
                Err(StoreError::WrongTarget {
                    expected,
                    found: superblock.uuid,
                })
            }
            _ => Ok((superblock, false)),
        };
    }
    if config.format != FormatPolicy::IfEmpty {
        return Err(StoreError::NotFormatted);
    }
    // Making a store that was cut short leaves the first log segment at most.
    let leftover = |name: &String| parse_segment_name(name).is_some_and(|number| number > 1);
    if names
        .iter()
        .any(|name| parse_slab_name(name).is_some() || leftover(name))
    {
        return Err(StoreError::Corrupt(
            "superblock: missing, but there are slabs or log segments".to_owned(),
        ));
    }
    let superblock = Superblock {
        target: TargetId::UNREGISTERED,
        uuid: TargetUuid::new(rng.next_u128()),
        slab_blocks: (config.slab_bytes / BLOCK_BYTES as u64) as u32,
    };
    Ok((superblock, true))
}

/// The index as it comes out of the log.
struct Replay {
    index: Index,
    version_max: u64,
}

impl Replay {
    fn new() -> Self {
        Self {
            index: Index::new(),
            version_max: 0,
        }
    }

    /// Applies one record. See "Replay" in the format's description.
    fn apply(&mut self, sequence: u64, record: Record<'_>) {
        match record {
            Record::ChunkState {
                chunk,
                version,
                length,
                extents,
            } => {
                self.version_max = self.version_max.max(version);
                let mut shard = self.index.shard(chunk.inode);
                let known = shard.chunks.entry(chunk).or_default();
                if known.home != 0 && known.version > version {
                    return;
                }
                (known.version, known.length, known.home) = (version, length, sequence);
                known.extents = extents.into_boxed_slice();
                if let Some(overlay) = &mut known.overlay {
                    overlay.drop_through(version);
                    overlay.length = overlay.length.max(length);
                    if overlay.is_empty() {
                        known.overlay = None;
                    }
                }
            }
            Record::Data {
                chunk,
                version,
                offset,
                bytes,
            } => {
                self.version_max = self.version_max.max(version);
                let mut shard = self.index.shard(chunk.inode);
                let known = shard.chunks.entry(chunk).or_default();
                if known.home != 0 && known.version >= version {
                    return;
                }
                let overlay = known.overlay_mut();
                overlay.insert(NewPiece {
                    offset,
                    piece: Piece {
                        bytes: Bytes::copy_from_slice(bytes),
                        version,
                        journaled: true,
                    },
                });
                overlay.note_journaled(sequence);
            }
            Record::RemoveFile { inode, version } => {
                self.version_max = self.version_max.max(version);
                let mut shard = self.index.shard(inode);
                remove_from(
                    &mut shard,
                    ChunkId {
                        inode,
                        index: sluice_types::ChunkIndex::new(0),
                    },
                );
                shard.note_removed(inode);
            }
            Record::Cut {
                chunk,
                length,
                version,
            } => {
                // The zeroes of a cut have the version after the cut's own.
                self.version_max = self.version_max.max(version + 1);
                let mut shard = self.index.shard(chunk.inode);
                if length == 0 {
                    remove_from(&mut shard, chunk);
                    return;
                }
                if let Some(next) = chunk.index.raw().checked_add(1) {
                    let index = sluice_types::ChunkIndex::new(next);
                    remove_from(&mut shard, ChunkId { index, ..chunk });
                }
                if let Some(known) = shard.chunks.get_mut(&chunk) {
                    known.extents = cut_extents(&known.extents, length);
                    cut_chunk(known, length, version, sequence);
                    if known.is_nothing() {
                        shard.chunks.remove(&chunk);
                    }
                }
            }
            Record::RemoveChunk { chunk, version } => {
                self.version_max = self.version_max.max(version);
                self.index.shard(chunk.inode).chunks.remove(&chunk);
            }
        }
    }

    /// Claims the blocks of all chunks, and counts what they hold. Gives the size of all chunk records and
    /// the files with journaled data.
    fn settle(
        &self,
        allocator: &Allocator,
        budget: &Budget,
        clock: &dyn Clock,
    ) -> Result<(u64, FlushQueue), StoreError> {
        let mut record_bytes = 0;
        let mut queue = FlushQueue::default();
        for mut shard in self.index.shards() {
            let mut live: Vec<(InodeId, u64)> = Vec::new();
            let mut overlaid: Vec<ChunkId> = Vec::new();
            for (&id, chunk) in &mut shard.chunks {
                record_bytes += chunk.record_bytes();
                live.push((id.inode, live_blocks(&chunk.extents)));
                let parents: BTreeSet<Run> = chunk.extents.iter().map(Run::of_parent).collect();
                for run in parents {
                    allocator.claim(run)?;
                }
                if let Some(overlay) = &mut chunk.overlay {
                    overlaid.push(id);
                    budget.add(overlay.bytes());
                    overlay.recount_reserved();
                    allocator.reserve_always(overlay.reserved_blocks);
                }
            }
            for (inode, blocks) in live {
                shard.charge(inode, blocks as i64);
            }
            for chunk in overlaid {
                if shard.note_overlaid(chunk) {
                    queue.push(chunk.inode, clock.monotonic());
                }
            }
        }
        Ok((record_bytes, queue))
    }
}

/// Removes the file's chunks from that one on.
fn remove_from(shard: &mut Shard, first: ChunkId) {
    let ids: Vec<ChunkId> = shard
        .chunks_of(first.inode, first.index)
        .map(|(id, _)| id)
        .collect();
    for id in ids {
        shard.chunks.remove(&id);
    }
}
