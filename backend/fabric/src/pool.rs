//! Buffers that payloads are received into: page-aligned, so that direct I/O can use them as they are, and
//! used again, so that memory is not taken and zeroed for every request.
//!
//! A buffer goes back to its pool when the last [`Bytes`] over it is dropped, wherever that is. The pool
//! bounds only what lies idle in it; what is in use is bounded by whoever receives (before taking a
//! buffer), and after the reply by whoever keeps the bytes.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// Where a payload starts in memory is a multiple of this, in bytes.
pub const PAYLOAD_ALIGNMENT_BYTES: usize = 4096;

/// Size classes are powers of two from 4 KiB (class 0) to 64 MiB.
const CLASSES: usize = 15;

/// Keeps buffers for use again, at most as many bytes of them as it was made for.
#[derive(Debug)]
pub struct BufferPool {
    idle: Mutex<Idle>,
    idle_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Idle {
    /// By class; each buffer is its class's size and one alignment long.
    classes: [Vec<Vec<u8>>; CLASSES],
    bytes: usize,
}

impl BufferPool {
    /// A pool that keeps at most `idle_bytes_max` bytes of buffers that nobody uses.
    pub fn new(idle_bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            idle_bytes_max,
        })
    }

    /// A buffer of `length` bytes with unspecified contents (zeros, or what was in it before).
    pub fn take(self: &Arc<Self>, length: usize) -> PooledBuffer {
        let class = class_of(length);
        let memory = self.reuse(class).unwrap_or_else(|| fresh(class, length));
        let misalignment = memory.as_ptr().addr() % PAYLOAD_ALIGNMENT_BYTES;
        PooledBuffer {
            start: (PAYLOAD_ALIGNMENT_BYTES - misalignment) % PAYLOAD_ALIGNMENT_BYTES,
            length,
            memory,
            pool: Arc::clone(self),
        }
    }

    /// How many bytes lie idle.
    pub fn idle_bytes(&self) -> usize {
        self.idle.lock().bytes
    }

    fn reuse(&self, class: usize) -> Option<Vec<u8>> {
        let mut idle = self.idle.lock();
        let memory = idle.classes.get_mut(class)?.pop()?;
        idle.bytes -= memory.len();
        Some(memory)
    }

    fn give_back(&self, memory: Vec<u8>, class: usize) {
        let mut idle = self.idle.lock();
        let bytes = idle.bytes + memory.len();
        if bytes > self.idle_bytes_max {
            return;
        }
        if let Some(class) = idle.classes.get_mut(class) {
            class.push(memory);
            idle.bytes = bytes;
        }
    }
}

/// The least class whose buffers hold `length` bytes; [`CLASSES`] and above are never kept.
fn class_of(length: usize) -> usize {
    let pages = length.div_ceil(PAYLOAD_ALIGNMENT_BYTES).max(1);
    pages.next_power_of_two().trailing_zeros() as usize
}

fn fresh(class: usize, length: usize) -> Vec<u8> {
    let size = if class < CLASSES {
        PAYLOAD_ALIGNMENT_BYTES << class
    } else {
        length
    };
    vec![0; size + PAYLOAD_ALIGNMENT_BYTES]
}

/// A buffer in use; goes back to its pool when dropped.
#[derive(Debug)]
pub struct PooledBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
    pool: Arc<BufferPool>,
}

impl PooledBuffer {
    /// The bytes, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.length]
    }

    /// The bytes, shared from now on.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.length]
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        self.pool.give_back(memory, class_of(self.length));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_exactly_as_long_as_asked() {
        let pool = BufferPool::new(1 << 20);
        for length in [0, 1, 4095, 4096, 4097, 1 << 20, (64 << 20) + 1] {
            let mut buffer = pool.take(length);
            buffer.as_mut_slice().fill(7);
            let bytes = buffer.freeze();
            assert_eq!(bytes.len(), length);
            assert_eq!(bytes.as_ptr().addr() % PAYLOAD_ALIGNMENT_BYTES, 0);
        }
    }

    #[test]
    fn a_buffer_comes_back_with_its_last_share() {
        let pool = BufferPool::new(1 << 20);
        let bytes = pool.take(5000).freeze();
        let address = bytes.as_ptr();
        let part = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(pool.idle_bytes(), 0);
        drop(part);
        assert_eq!(pool.idle_bytes(), 3 * 4096);
        assert_eq!(pool.take(8192).as_ref().as_ptr(), address);
    }

    #[test]
    fn idle_memory_is_bounded() {
        let pool = BufferPool::new(40_000);
        let buffers: Vec<_> = (0..10).map(|_| pool.take(4096)).collect();
        drop(buffers);
        assert_eq!(pool.idle_bytes(), 4 * 8192);
        drop(pool.take(65 << 20));
        assert_eq!(pool.idle_bytes(), 4 * 8192);
    }
}
