//! The slab files: growing, reading verified extents, writing runs, and flushing for many at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use parking_lot::{Mutex, RwLock};
use sluice_types::ChunkId;
use tokio::sync::oneshot;

use crate::allocator::{Allocator, Run};
use crate::device::{Buffer, BufferPool, Device, FileId};
use crate::format::{Extent, bytes_of, parse_slab_name, slab_name};
use crate::{StoreConfig, StoreError};

/// Buffers of one device operation at most: 1 MiB of whole extents.
const BUFFERS_PER_OPERATION: usize = 16;

#[derive(Debug)]
pub(crate) struct Slabs {
    device: Arc<dyn Device>,
    allocator: Arc<Allocator>,
    files: RwLock<Vec<Slab>>,
    growing: tokio::sync::Mutex<()>,
    /// Flushes that failed, of any slab.
    failed_flushes: Arc<AtomicU64>,
    capacity_bytes: Option<u64>,
    reserve_bytes: u64,
    sharing_targets: u64,
}

#[derive(Clone, Debug)]
struct Slab {
    file: FileId,
    flush: Arc<SharedFlush>,
}

/// An extent that cannot be had.
#[derive(Clone, Debug)]
pub(crate) struct Damaged {
    pub(crate) extent: Extent,
    cause: DamageCause,
}

#[derive(Clone, Debug)]
enum DamageCause {
    /// It does not match its checksum.
    Mismatch { found: u32 },
    /// The device does not read it.
    Unreadable(Arc<io::Error>),
}

impl Damaged {
    /// Whether the device said so.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self.cause, DamageCause::Unreadable(_))
    }

    pub(crate) fn into_error(self, chunk: ChunkId) -> StoreError {
        match self.cause {
            DamageCause::Mismatch { found } => StoreError::Checksum {
                chunk,
                address: self.extent.address(),
                blocks: self.extent.parent_blocks(),
                expected: self.extent.crc(),
                found,
            },
            DamageCause::Unreadable(source) => StoreError::Device {
                action: format!(
                    "reading chunk {chunk} at slab block {}",
                    self.extent.address()
                ),
                source,
            },
        }
    }
}

impl Slabs {
    /// Opens the slab files there are, and gives their blocks to the allocator.
    pub(crate) async fn open(
        device: Arc<dyn Device>,
        allocator: Arc<Allocator>,
        config: &StoreConfig,
        names: &[String],
    ) -> Result<Self, StoreError> {
        let mut numbers: Vec<u32> = names
            .iter()
            .filter_map(|name| parse_slab_name(name))
            .collect();
        numbers.sort_unstable();
        let slab_bytes = bytes_of(u64::from(allocator.slab_blocks()));
        let mut files = Vec::new();
        for (expected, &number) in numbers.iter().enumerate() {
            let name = slab_name(number);
            if number != expected as u32 {
                return Err(StoreError::Corrupt(format!(
                    "{} is missing",
                    slab_name(expected as u32)
                )));
            }
            let opened = device.open(&name).await;
            let (file, bytes) =
                opened.map_err(|error| StoreError::device(format!("opening {name}"), error))?;
            if bytes >= slab_bytes {
                files.push(Slab::new(file));
                allocator.add_slab();
                continue;
            }
            if expected + 1 < numbers.len() {
                return Err(StoreError::Corrupt(format!(
                    "{name} has {bytes} bytes, expected {slab_bytes}"
                )));
            }
            // The power went while it was made. Growing makes it anew; should the index refer to it,
            // recovery refuses before that.
            device.close(file).await;
        }
        Ok(Self {
            device,
            allocator,
            files: RwLock::new(files),
            growing: tokio::sync::Mutex::new(()),
            failed_flushes: Arc::default(),
            capacity_bytes: config.capacity_bytes,
            reserve_bytes: config.reserve_bytes,
            sharing_targets: u64::from(config.sharing_targets),
        })
    }

    fn slab_bytes(&self) -> u64 {
        bytes_of(u64::from(self.allocator.slab_blocks()))
    }

    /// Adds a slab unless someone else just did: `seen` is how many there were when space was short. Leaves space for
    /// a log that may grow by `log_headroom_bytes`.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] if capacity or file system do not allow it.
    pub(crate) async fn grow(&self, seen: u32, log_headroom_bytes: u64) -> Result<(), StoreError> {
        let _growing = self.growing.lock().await;
        if self.allocator.slab_count() != seen {
            return Ok(());
        }
        if self.growable_slabs(log_headroom_bytes).await? == 0 {
            return Err(StoreError::NoSpace);
        }
        let name = slab_name(seen);
        let device_error = |error: io::Error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::NoSpace,
            _ => StoreError::device(format!("creating {name}"), error),
        };
        let created = self.device.create(&name, self.slab_bytes()).await;
        let file = created.map_err(device_error)?;
        self.device.flush(file).await.map_err(device_error)?;
        self.device.sync_directory().await.map_err(device_error)?;
        self.files.write().push(Slab::new(file));
        self.allocator.add_slab();
        Ok(())
    }

    /// How many more slabs there can be beside a log that may grow by `log_headroom_bytes`, as may the other targets'.
    pub(crate) async fn growable_slabs(&self, log_headroom_bytes: u64) -> Result<u64, StoreError> {
        let space = self.device.space().await;
        let space = space.map_err(|error| StoreError::device("asking for free space", error))?;
        let reserve_bytes = self
            .reserve_bytes
            .max(log_headroom_bytes.saturating_mul(self.sharing_targets));
        let by_disk = space.free_bytes.saturating_sub(reserve_bytes) / self.slab_bytes();
        let present = u64::from(self.allocator.slab_count());
        Ok(match self.capacity_bytes {
            Some(capacity) => (capacity / self.slab_bytes())
                .saturating_sub(present)
                .min(by_disk),
            // Sharing must not keep the last slab from everybody.
            None => by_disk.div_ceil(self.sharing_targets),
        })
    }

    fn slab(&self, address: u64) -> Result<(Slab, u64), StoreError> {
        let (number, block) = self.allocator.place(address);
        let slab = self.files.read().get(number as usize).cloned();
        let slab = slab.ok_or_else(|| StoreError::Corrupt(format!("there is no slab {number}")))?;
        Ok((slab, bytes_of(u64::from(block))))
    }

    /// Reads the parents of extents. What is damaged is reported in place.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if an extent lies in no slab.
    pub(crate) async fn read(
        &self,
        extents: &[Extent],
        pool: &Arc<BufferPool>,
    ) -> Result<Vec<Result<Bytes, Damaged>>, StoreError> {
        let lengths: Vec<usize> = extents.iter().map(Extent::parent_bytes).collect();
        let mut buffers = pool.take(&lengths).await.into_iter();
        let operations = neighbours(extents, self.allocator.slab_blocks()).map(|group| {
            let buffers: Vec<Buffer> = buffers.by_ref().take(group.len()).collect();
            self.read_group(group, buffers)
        });
        let operations: Vec<_> = operations.collect();
        let read = try_join_all(operations).await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Reads neighbours at once; one by one if that fails, as one bad place must not hide the others.
    async fn read_group(
        &self,
        group: &[Extent],
        buffers: Vec<Buffer>,
    ) -> Result<Vec<Result<Bytes, Damaged>>, StoreError> {
        let (slab, offset) = self.slab(group[0].address())?;
        if let Ok(buffers) = self.device.read_at(slab.file, offset, buffers).await {
            let verified = group.iter().zip(buffers);
            return Ok(verified
                .map(|(extent, buffer)| verify(*extent, buffer))
                .collect());
        }
        let mut read = Vec::with_capacity(group.len());
        for &extent in group {
            let (slab, offset) = self.slab(extent.address())?;
            // The pool's buffers are gone with the error, and who holds some must not wait for others.
            let buffer = vec![Buffer::on_heap(extent.parent_bytes())];
            match self.device.read_at(slab.file, offset, buffer).await {
                Ok(buffers) => read.extend(buffers.into_iter().map(|one| verify(extent, one))),
                Err(error) => read.push(Err(Damaged {
                    extent,
                    cause: DamageCause::Unreadable(Arc::new(error)),
                })),
            }
        }
        Ok(read)
    }

    /// Writes buffers to a run of blocks.
    pub(crate) async fn write(&self, run: Run, mut buffers: Vec<Buffer>) -> Result<(), StoreError> {
        let (slab, mut offset) = self.slab(run.address)?;
        let mut writes = Vec::new();
        while !buffers.is_empty() {
            let later = buffers.split_off(buffers.len().min(BUFFERS_PER_OPERATION));
            let bytes: usize = buffers.iter().map(Buffer::len).sum();
            writes.push(self.device.write_at(slab.file, offset, buffers));
            offset += bytes as u64;
            buffers = later;
        }
        // All of them, also after an error: none may be on its way when the blocks are given back.
        let written: io::Result<Vec<()>> = join_all(writes).await.into_iter().collect();
        written.map(drop).map_err(|error| {
            StoreError::device(format!("writing slab block {}", run.address), error)
        })
    }

    /// How many flushes failed; to be asked before the writes that [`Slabs::flush`] is to make durable.
    pub(crate) fn failed_flushes(&self) -> u64 {
        self.failed_flushes.load(Ordering::Acquire)
    }

    /// Makes finished writes to the slabs of these runs durable. A flush that failed since `failed_before` was asked
    /// may have been the only one to hear that these writes were lost, so then this fails too.
    pub(crate) async fn flush(&self, runs: &[Run], failed_before: u64) -> Result<(), StoreError> {
        let mut numbers: Vec<u32> = runs
            .iter()
            .map(|run| self.allocator.place(run.address).0)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let slabs: Vec<Slab> = {
            let files = self.files.read();
            numbers
                .iter()
                .filter_map(|&number| files.get(number as usize).cloned())
                .collect()
        };
        let flushes = slabs.iter().map(|slab| {
            slab.flush
                .flush(&self.device, slab.file, &self.failed_flushes)
        });
        try_join_all(flushes).await?;
        if self.failed_flushes() != failed_before {
            let error = io::Error::other("a flush failed while these writes were under way");
            return Err(StoreError::device("flushing a slab", error));
        }
        Ok(())
    }
}

fn verify(extent: Extent, buffer: Buffer) -> Result<Bytes, Damaged> {
    let found = crc32c::crc32c(buffer.as_ref());
    if found == extent.crc() {
        Ok(buffer.into_bytes())
    } else {
        Err(Damaged {
            extent,
            cause: DamageCause::Mismatch { found },
        })
    }
}

/// Groups of extents whose parents are neighbours on one slab.
fn neighbours(extents: &[Extent], slab_blocks: u32) -> impl Iterator<Item = &[Extent]> {
    let mut rest = extents;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let slab = first.address() / u64::from(slab_blocks);
        let mut next = first.address() + u64::from(first.parent_blocks());
        let mut count = 1;
        while let Some(extent) = rest.get(count)
            && count < BUFFERS_PER_OPERATION
            && extent.address() == next
            && extent.address() / u64::from(slab_blocks) == slab
        {
            next += u64::from(extent.parent_blocks());
            count += 1;
        }
        let (group, later) = rest.split_at(count);
        rest = later;
        Some(group)
    })
}

impl Slab {
    fn new(file: FileId) -> Self {
        Self {
            file,
            flush: Arc::default(),
        }
    }
}

/// One flush at a time per file, for all who asked before it began.
#[derive(Debug, Default)]
struct SharedFlush {
    state: Mutex<FlushState>,
}

#[derive(Debug, Default)]
struct FlushState {
    running: bool,
    waiting: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl SharedFlush {
    async fn flush(
        self: &Arc<Self>,
        device: &Arc<dyn Device>,
        file: FileId,
        failed: &Arc<AtomicU64>,
    ) -> Result<(), StoreError> {
        let (done, result) = oneshot::channel();
        let start = {
            let mut state = self.state.lock();
            state.waiting.push(done);
            !std::mem::replace(&mut state.running, true)
        };
        if start {
            // A task of its own, so that a caller who gives up does not leave others waiting.
            tokio::spawn(Arc::clone(self).run(Arc::clone(device), file, Arc::clone(failed)));
        }
        result.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn run(self: Arc<Self>, device: Arc<dyn Device>, file: FileId, failed: Arc<AtomicU64>) {
        loop {
            let waiting = {
                let mut state = self.state.lock();
                if state.waiting.is_empty() {
                    state.running = false;
                    return;
                }
                std::mem::take(&mut state.waiting)
            };
            let flushed = device.flush(file).await;
            if flushed.is_err() {
                failed.fetch_add(1, Ordering::AcqRel);
            }
            let flushed = flushed.map_err(|error| StoreError::device("flushing a slab", error));
            for waiter in waiting {
                // Whoever gave up waiting needs no answer.
                let _ = waiter.send(flushed.clone());
            }
        }
    }
}
