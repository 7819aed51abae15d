//! Aligned buffers from a bounded pool: what O_DIRECT and io_uring's registered buffers need.
//!
//! A pool is one block-aligned region cut into small buffers (8 KiB) and large ones (64 KiB, the
//! largest extent). Taking is all or nothing: a request gets all its buffers at once, small before large, so
//! that two requests never wait for each other's. A request for more than a quarter of the pool
//! takes aligned heap memory instead, which has a bound of its own.
//!
//! Read buffers travel with replies as far as a client's socket, and one client that does not read can keep
//! the whole pool. So a request that finds the read pool empty takes heap memory at once, and
//! waits only when that is at its bound too. Write buffers always come back with the disk's answer: there a
//! request waits.
//!
//! A [`Buffer`] belongs to one owner at a time, and goes back to its pool when dropped, also
//! as the [`Bytes`] it can become.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{Either, select};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::format::BLOCK_BYTES;

#[cfg(test)]
mod tests;

/// Bytes of a large buffer: the largest extent.
pub const BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of a small buffer.
pub const SMALL_BUFFER_BYTES: usize = 8 * 1024;

/// The two pools of a device.
#[derive(Clone, Debug)]
pub struct BufferPools {
    /// For reads; buffers may travel with replies.
    pub reads: Arc<BufferPool>,
    /// For writes and for the store's own reads; buffers come back with the disk's answer.
    pub writes: Arc<BufferPool>,
}

/// Heap bytes of write requests that are large for their pool.
const WRITE_HEAP_BYTES_MAX: usize = 8 << 20;

impl BufferPools {
    /// Pools of about that many bytes each; reads take up to `read_heap_bytes_max` of heap memory beside.
    pub fn new(read_bytes: usize, write_bytes: usize, read_heap_bytes_max: usize) -> Self {
        let beside_reads = HeapBuffers::new(read_heap_bytes_max, true);
        let beside_writes = HeapBuffers::new(WRITE_HEAP_BYTES_MAX, false);
        Self {
            reads: BufferPool::new(read_bytes, 0, beside_reads),
            writes: BufferPool::new(write_bytes, 1, beside_writes),
        }
    }
}

/// A bounded set of aligned buffers.
pub struct BufferPool {
    /// Its number among the buffers registered with the kernel.
    index: u16,
    region: Region,
    large: Class,
    small: Class,
    heap: HeapBuffers,
}

/// Aligned heap memory that stands in for the pool.
struct HeapBuffers {
    /// A permit for each block that may be taken.
    blocks: Arc<Semaphore>,
    blocks_max: u32,
    /// Whether also requests that only find the pool empty are served from here.
    when_empty: bool,
}

impl HeapBuffers {
    fn new(bytes_max: usize, when_empty: bool) -> Self {
        let blocks_max = (bytes_max / BLOCK_BYTES).clamp(1, 1 << 24) as u32;
        Self {
            blocks: Arc::new(Semaphore::new(blocks_max as usize)),
            blocks_max,
            when_empty,
        }
    }

    /// What a request of those lengths counts for: a request beyond the whole bound waits until it is alone.
    fn blocks_of(&self, lengths: &[usize]) -> u32 {
        let blocks: usize = lengths
            .iter()
            .map(|length| length.div_ceil(BLOCK_BYTES))
            .sum();
        u32::try_from(blocks).map_or(self.blocks_max, |blocks| blocks.min(self.blocks_max))
    }

    fn try_take(&self, lengths: &[usize]) -> Option<Vec<Buffer>> {
        let permits = Arc::clone(&self.blocks).try_acquire_many_owned(self.blocks_of(lengths));
        Some(allocate(lengths, permits.ok()?))
    }

    async fn take(&self, lengths: &[usize]) -> Vec<Buffer> {
        let permits = Arc::clone(&self.blocks).acquire_many_owned(self.blocks_of(lengths));
        match permits.await {
            Ok(permits) => allocate(lengths, permits),
            Err(_) => unreachable!("the pool's semaphores are never closed"),
        }
    }
}

/// Heap buffers that keep `permits` until the last of them is dropped.
fn allocate(lengths: &[usize], permits: OwnedSemaphorePermit) -> Vec<Buffer> {
    let permits = Arc::new(permits);
    let buffer = |&length| Buffer::from_heap(length, Some(Arc::clone(&permits)));
    lengths.iter().map(buffer).collect()
}

/// Buffers of one size.
struct Class {
    base: usize,
    buffer_bytes: usize,
    count: usize,
    free: Mutex<Vec<u32>>,
    permits: Semaphore,
}

impl Class {
    fn new(base: usize, buffer_bytes: usize, count: usize) -> Self {
        Self {
            base,
            buffer_bytes,
            count,
            free: Mutex::new((0..count as u32).rev().collect()),
            permits: Semaphore::new(count),
        }
    }
}

/// Zeroed memory aligned to a block.
struct Region {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the region is plain memory that is freed once, by its only owner; access to parts of it is
// given out by `Buffer`s, whose ranges never overlap.
unsafe impl Send for Region {}
// SAFETY: as above; `Region` itself gives no access to the memory.
unsafe impl Sync for Region {}

impl Region {
    fn new(bytes: usize) -> Self {
        let bytes = bytes.next_multiple_of(BLOCK_BYTES).max(BLOCK_BYTES);
        let Ok(layout) = Layout::from_size_align(bytes, BLOCK_BYTES) else {
            unreachable!("sizes of pools and requests are far below isize::MAX");
        };
        // SAFETY: the layout's size is at least one block.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Self { start, layout },
            None => handle_alloc_error(layout),
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and freed only here.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

impl BufferPool {
    /// A pool of about `bytes`, an eighth of it in small buffers; at least 16 buffers of each.
    fn new(bytes: usize, index: u16, heap: HeapBuffers) -> Arc<Self> {
        let large = (bytes / BUFFER_BYTES).max(16);
        let small = (bytes / 8 / SMALL_BUFFER_BYTES).max(16);
        let large_bytes = large * BUFFER_BYTES;
        Arc::new(Self {
            index,
            region: Region::new(large_bytes + small * SMALL_BUFFER_BYTES),
            large: Class::new(0, BUFFER_BYTES, large),
            small: Class::new(large_bytes, SMALL_BUFFER_BYTES, small),
            heap,
        })
    }

    /// Buffers of those lengths (each of 1 to 65536 bytes), as soon as all are to be had.
    /// Their contents are left from earlier use.
    ///
    /// # Panics
    /// If a length is 0 or above [`BUFFER_BYTES`]: a bug of the caller.
    pub async fn take(self: &Arc<Self>, lengths: &[usize]) -> Vec<Buffer> {
        let small = lengths.iter().filter(|&&length| is_small(length)).count();
        let large = lengths.len() - small;
        if small > self.small.count / 4 || large > self.large.count / 4 {
            return self.heap.take(lengths).await;
        }
        let (small, large) = (small as u32, large as u32);
        if !self.heap.when_empty {
            return self.take_pooled(lengths, small, large).await;
        }
        if let Some(buffers) = self.try_take_pooled(lengths, small, large) {
            return buffers;
        }
        if let Some(buffers) = self.heap.try_take(lengths) {
            return buffers;
        }
        // All that may be out is out: whatever comes back first.
        let pooled = std::pin::pin!(self.take_pooled(lengths, small, large));
        let heap = std::pin::pin!(self.heap.take(lengths));
        match select(pooled, heap).await {
            Either::Left((buffers, _)) | Either::Right((buffers, _)) => buffers,
        }
    }

    async fn take_pooled(
        self: &Arc<Self>,
        lengths: &[usize],
        small: u32,
        large: u32,
    ) -> Vec<Buffer> {
        let small = self.small.permits.acquire_many(small).await;
        let large = self.large.permits.acquire_many(large).await;
        let (Ok(small), Ok(large)) = (small, large) else {
            unreachable!("the pool's semaphores are never closed");
        };
        self.pop_all(lengths, small, large)
    }

    fn try_take_pooled(
        self: &Arc<Self>,
        lengths: &[usize],
        small: u32,
        large: u32,
    ) -> Option<Vec<Buffer>> {
        let small = self.small.permits.try_acquire_many(small).ok()?;
        let large = self.large.permits.try_acquire_many(large).ok()?;
        Some(self.pop_all(lengths, small, large))
    }

    /// The buffers that the permits stand for; each gives its permit back when it is dropped.
    fn pop_all(
        self: &Arc<Self>,
        lengths: &[usize],
        small: SemaphorePermit<'_>,
        large: SemaphorePermit<'_>,
    ) -> Vec<Buffer> {
        small.forget();
        large.forget();
        lengths.iter().map(|&length| self.pop(length)).collect()
    }

    /// One buffer; see [`BufferPool::take`].
    pub async fn take_one(self: &Arc<Self>, length: usize) -> Buffer {
        let mut buffers = self.take(&[length]).await;
        match buffers.pop() {
            Some(buffer) => buffer,
            None => unreachable!("one length gives one buffer"),
        }
    }

    /// Address and length of the region, for registration with the kernel.
    pub(crate) fn region(&self) -> (*mut u8, usize) {
        (self.region.start.as_ptr(), self.region.layout.size())
    }

    fn pop(self: &Arc<Self>, length: usize) -> Buffer {
        assert!((1..=BUFFER_BYTES).contains(&length), "buffer of {length}");
        let class = self.class(is_small(length));
        let Some(slot) = class.free.lock().pop() else {
            unreachable!("a permit stands for a free buffer");
        };
        let at = class.base + slot as usize * class.buffer_bytes;
        // SAFETY: slots are numbered so that every one lies within the region.
        let start = unsafe { self.region.start.add(at) };
        Buffer {
            start,
            length,
            home: Home::Pool(Arc::clone(self), slot, is_small(length)),
        }
    }

    fn class(&self, small: bool) -> &Class {
        if small { &self.small } else { &self.large }
    }

    fn give_back(&self, slot: u32, small: bool) {
        let class = self.class(small);
        class.free.lock().push(slot);
        class.permits.add_permits(1);
    }
}

fn is_small(length: usize) -> bool {
    length <= SMALL_BUFFER_BYTES
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool")
            .field("heap_blocks_free", &self.heap.blocks.available_permits())
            .field("large_free", &self.large.permits.available_permits())
            .field("small_free", &self.small.permits.available_permits())
            .finish_non_exhaustive()
    }
}

enum Home {
    Pool(Arc<BufferPool>, u32, bool),
    Heap {
        _region: Region,
        _permits: Option<Arc<OwnedSemaphorePermit>>,
    },
}

/// Aligned memory with one owner.
pub struct Buffer {
    start: NonNull<u8>,
    length: usize,
    home: Home,
}

// SAFETY: a buffer is the only access to its memory, as a Box would be.
unsafe impl Send for Buffer {}
// SAFETY: shared access to a buffer only reads.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A zeroed buffer outside of any pool, for start-up.
    pub(crate) fn on_heap(length: usize) -> Self {
        Self::from_heap(length, None)
    }

    fn from_heap(length: usize, permits: Option<Arc<OwnedSemaphorePermit>>) -> Self {
        let region = Region::new(length);
        Self {
            start: region.start,
            length,
            home: Home::Heap {
                _region: region,
                _permits: permits,
            },
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no bytes; never, in a buffer from a pool.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bytes, shared: goes back to the pool when the last of them is dropped.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// The number of its pool among registered buffers; none for heap memory.
    pub(crate) fn registered_index(&self) -> Option<u16> {
        match &self.home {
            Home::Pool(pool, ..) => Some(pool.index),
            Home::Heap { .. } => None,
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the memory is initialized (zeroed at first), within the region, and this buffer's alone.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_ref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Home::Pool(pool, slot, small) = &self.home {
            pool.give_back(*slot, *small);
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.length)
    }
}
