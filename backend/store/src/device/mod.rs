//! Files on a disk: what the store needs of one, so that tests can put a simulated one there.
//!
//! A device is one flat directory. Reads and writes go to block-aligned offsets through aligned
//! [`Buffer`]s from its two bounded pools. The pools are apart because read buffers travel with replies as far as
//! the socket, while write buffers always come back when the disk is done: so the store's own work (flushes,
//! compaction, scrubbing, recovery) uses those, and no client can make it wait. Clients that do not read
//! their sockets cannot stop other readers either, until they hold pool and heap together.
//!
//! Bound of a target's buffers: `read_pool_bytes` + `write_pool_bytes` (and an eighth more of each in small
//! buffers) + `read_heap_bytes_max` + 8 MiB for writes that are large for their pool.

mod files;
mod pool;
mod thread;
mod uring;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use pool::{BUFFER_BYTES, Buffer, BufferPool, BufferPools, SMALL_BUFFER_BYTES};
pub use thread::ThreadDevice;
pub use uring::UringDevice;

/// An open file of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub(crate) u32);

/// Space of the file system that a device is on, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSpace {
    /// All of it.
    pub total_bytes: u64,
    /// What may still be written.
    pub free_bytes: u64,
}

/// A directory of files on a disk.
///
/// Every method may fail with what the operating system says. A future that is dropped does not undo
/// the operation, and its buffers come back when the disk is done.
#[async_trait]
pub trait Device: Send + Sync + fmt::Debug + 'static {
    /// Where this device's buffers come from.
    fn pools(&self) -> &BufferPools;

    /// Names of all files.
    async fn list(&self) -> io::Result<Vec<String>>;

    /// Opens an existing file; also gives its length in bytes.
    async fn open(&self, name: &str) -> io::Result<(FileId, u64)>;

    /// Makes a new file of that length, its space allocated and its bytes zero.
    async fn create(&self, name: &str, bytes: u64) -> io::Result<FileId>;

    /// Forgets an open file.
    async fn close(&self, file: FileId);

    /// Replaces `to` by `from`; durable after [`Device::sync_directory`].
    async fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Deletes a file; durable after [`Device::sync_directory`].
    async fn delete(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and deletions durable.
    async fn sync_directory(&self) -> io::Result<()>;

    /// Fills the buffers from the file, starting at a block border.
    async fn read_at(
        &self,
        file: FileId,
        offset: u64,
        buffers: Vec<Buffer>,
    ) -> io::Result<Vec<Buffer>>;

    /// Writes the buffers (each of whole blocks) to the file, starting at a block border.
    async fn write_at(&self, file: FileId, offset: u64, buffers: Vec<Buffer>) -> io::Result<()>;

    /// Makes all finished writes of the file durable.
    async fn flush(&self, file: FileId) -> io::Result<()>;

    /// Space of the file system.
    async fn space(&self) -> io::Result<DeviceSpace>;
}

/// How a real device is set up.
#[derive(Clone, Copy, Debug)]
pub struct DeviceOptions {
    /// Bytes of registered read buffers, for replies in flight.
    pub read_pool_bytes: usize,
    /// Bytes of heap memory for reads that find the pool empty, or are large for it; beyond, readers wait.
    pub read_heap_bytes_max: usize,
    /// Bytes of write buffers: bounds what is on its way to the disk.
    pub write_pool_bytes: usize,
    /// Operations in flight at most.
    pub queue_depth: u32,
    /// Whether io_uring may be used.
    pub io_uring: bool,
}

impl DeviceOptions {
    fn pools(&self) -> BufferPools {
        BufferPools::new(
            self.read_pool_bytes,
            self.write_pool_bytes,
            self.read_heap_bytes_max,
        )
    }
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            read_pool_bytes: 16 << 20,
            read_heap_bytes_max: 256 << 20,
            write_pool_bytes: 8 << 20,
            queue_depth: 128,
            io_uring: true,
        }
    }
}

/// How long to wait for another process to give up the directory.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Opens the best device that works for a directory, making the directory if need be: io_uring with
/// O_DIRECT; where the kernel refuses io_uring (seccomp, sysctl), threads; says so once in the log.
///
/// # Errors
/// If the directory cannot be made or opened, or if another process keeps it for [`LOCK_PATIENCE`].
pub async fn open_directory(path: &Path, options: DeviceOptions) -> io::Result<Arc<dyn Device>> {
    let mut waited = Duration::ZERO;
    loop {
        let owned = path.to_owned();
        // Making directories and rings are system calls that may block.
        let opened = tokio::task::spawn_blocking(move || open_blocking(&owned, options)).await;
        match opened.map_err(io::Error::other)? {
            // The process before this one may still be going down.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && waited < LOCK_PATIENCE => {
                tokio::time::sleep(LOCK_RETRY).await;
                waited += LOCK_RETRY;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let what = "the directory is in use by another process";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, what));
            }
            opened => return opened,
        }
    }
}

fn open_blocking(path: &Path, options: DeviceOptions) -> io::Result<Arc<dyn Device>> {
    std::fs::create_dir_all(path)?;
    if options.io_uring {
        match UringDevice::open(path, options) {
            Ok(device) => return Ok(Arc::new(device)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Err(error) => tracing::warn!(
                path = %path.display(), %error,
                "io_uring is not to be had here; using threads and the page cache instead"
            ),
        }
    }
    Ok(Arc::new(ThreadDevice::open(path, options)?))
}
