//! Opening: find or make the superblock, replay the log, rebuild index and allocator.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;
use sluice_types::{BootId, Clock, Rng, TargetId, TargetUuid};

use super::background::spawn_background;
use super::replay::Replay;
use super::{Store, write_superblock};
use crate::allocator::Allocator;
use crate::budget::Budget;
use crate::device::{Buffer, Device};
use crate::epochs::Epochs;
use crate::failure::Failure;
use crate::format::{
    BLOCK_BYTES, SUPERBLOCK_NAME, Superblock, parse_segment_name, parse_slab_name,
};
use crate::log::{Log, LogState, recover};
use crate::metrics::StoreMetrics;
use crate::ops::OldBlockRoom;
use crate::slabs::Slabs;
use crate::{FormatPolicy, StoreConfig, StoreError};

impl Store {
    /// Opens the store on a device, making one if the configuration allows.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the directory contradicts itself; [`StoreError::NotFormatted`], [`StoreError::Missing`]
    /// or [`StoreError::WrongTarget`] if it is not the store that was asked for; [`StoreError::Device`].
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
                end: 0,
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
        log.adopt_spare(&names).await?;
        let writer = Arc::clone(&log).start(log_state).await?;
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
            old_block_room: OldBlockRoom::new(),
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
    match config.format {
        FormatPolicy::IfEmpty => {}
        FormatPolicy::Expect(expected) => return Err(StoreError::Missing { expected }),
        FormatPolicy::Never => return Err(StoreError::NotFormatted),
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
        file_system: None,
    };
    Ok((superblock, true))
}
