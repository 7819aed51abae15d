//! The fast device: io_uring with O_DIRECT and registered buffers.
//!
//! Callers submit themselves (one system call, no hop to another thread); one thread per device
//! waits for completions and wakes them. At most `queue_depth` operations are in flight, and the
//! completion queue is larger than that, so it cannot overflow. An operation owns its buffers and its file
//! until the kernel is done, whatever becomes of the future that waits for it.
//!
//! Directory operations are rare and go to blocking threads.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use async_trait::async_trait;
use io_uring::{IoUring, opcode, squeue, types};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::files::{Directory, supports_direct};
use super::{Buffer, BufferPools, Device, DeviceOptions, DeviceSpace, FileId};

/// A directory accessed with io_uring.
pub struct UringDevice {
    directory: Directory,
    pools: BufferPools,
    ring: Arc<Ring>,
    completions: Option<JoinHandle<()>>,
}

struct Ring {
    ring: IoUring,
    /// Held while entries are pushed: the submission queue has one producer at a time.
    submission: Mutex<()>,
    in_flight: Arc<Semaphore>,
    queue_depth: u32,
    registered: bool,
    stopping: AtomicBool,
}

/// What the kernel works on; lives on the heap from submission to completion.
struct Operation {
    /// Freed last: the kernel reads it while it works.
    vectors: Vec<libc::iovec>,
    buffers: Vec<Buffer>,
    _file: Option<Arc<File>>,
    _permit: Option<OwnedSemaphorePermit>,
    done: Option<oneshot::Sender<(i32, Vec<Buffer>)>>,
}

// SAFETY: the vectors point into `buffers`, which the operation owns and which are `Send`.
unsafe impl Send for Operation {}

impl UringDevice {
    /// Opens a directory that is there.
    ///
    /// # Errors
    /// If it is not, or if the kernel refuses io_uring; [`io::ErrorKind::WouldBlock`] while another process
    /// has it.
    pub fn open(path: &Path, options: DeviceOptions) -> io::Result<Self> {
        let direct = supports_direct(path)?;
        let directory = Directory::new(path, direct)?;
        if !direct {
            tracing::warn!(path = %path.display(), "no O_DIRECT here; using the page cache");
        }
        let queue_depth = options.queue_depth.clamp(8, 4096);
        let ring: IoUring = IoUring::builder()
            .setup_cqsize(queue_depth * 4)
            .build(queue_depth)?;
        let pools = options.pools();
        let registered = match register(&ring, &pools) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "buffers cannot be registered (RLIMIT_MEMLOCK?)");
                false
            }
        };
        let ring = Arc::new(Ring {
            ring,
            submission: Mutex::new(()),
            in_flight: Arc::new(Semaphore::new(queue_depth as usize)),
            queue_depth,
            registered,
            stopping: AtomicBool::new(false),
        });
        let completions = std::thread::Builder::new()
            .name("store-uring".to_owned())
            .spawn({
                // Pools and lock live as long as the thread: no operation outlives its memory, and nobody else
                // opens the directory while one is in flight.
                let (ring, pools, lock) = (Arc::clone(&ring), pools.clone(), directory.lock());
                move || {
                    ring.complete_until_stopped();
                    drop((pools, lock));
                }
            })?;
        Ok(Self {
            directory,
            pools,
            ring,
            completions: Some(completions),
        })
    }

    async fn transfer(
        &self,
        file: FileId,
        offset: u64,
        buffers: Vec<Buffer>,
        write: bool,
    ) -> io::Result<Vec<Buffer>> {
        let file = self.directory.file(file)?;
        let expected: usize = buffers.iter().map(Buffer::len).sum();
        let (result, buffers) = self
            .ring
            .run(Some(file), buffers, |ring, operation, file| {
                ring.transfer_entry(operation, file, offset, write)
            })
            .await?;
        let done = check(result)?;
        if done as usize != expected {
            // Files are allocated to their full length, so this is the end of a damaged file.
            let kind = if write {
                io::ErrorKind::WriteZero
            } else {
                io::ErrorKind::UnexpectedEof
            };
            return Err(io::Error::new(
                kind,
                format!("{done} of {expected} bytes at {offset}"),
            ));
        }
        Ok(buffers)
    }
}

fn register(ring: &IoUring, pools: &BufferPools) -> io::Result<()> {
    let vector = |(start, length): (*mut u8, usize)| libc::iovec {
        iov_base: start.cast(),
        iov_len: length,
    };
    let vectors = [vector(pools.reads.region()), vector(pools.writes.region())];
    // SAFETY: the regions stay allocated while the completion thread lives, which holds the pools, and
    // no operation is submitted after it ended.
    unsafe { ring.submitter().register_buffers(&vectors) }
}

fn check(result: i32) -> io::Result<u32> {
    u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

impl Ring {
    /// Submits an operation and waits for its result.
    async fn run(
        &self,
        file: Option<Arc<File>>,
        buffers: Vec<Buffer>,
        entry: impl FnOnce(&Self, &Operation, types::Fd) -> squeue::Entry + Send,
    ) -> io::Result<(i32, Vec<Buffer>)> {
        let permit = Arc::clone(&self.in_flight).acquire_owned().await;
        let permit = permit.map_err(|_| io::Error::other("the device is closed"))?;
        let (done, result) = oneshot::channel();
        let descriptor = types::Fd(file.as_ref().map_or(-1, |file| file.as_raw_fd()));
        let vectors = buffers.iter().map(|buffer| libc::iovec {
            iov_base: buffer.as_ptr().cast(),
            iov_len: buffer.len(),
        });
        let operation = Box::new(Operation {
            vectors: vectors.collect(),
            buffers,
            _file: file,
            _permit: Some(permit),
            done: Some(done),
        });
        self.submit(operation, |operation| entry(self, operation, descriptor))?;
        result
            .await
            .map_err(|_| io::Error::other("the device was closed"))
    }

    fn submit(
        &self,
        operation: Box<Operation>,
        entry: impl FnOnce(&Operation) -> squeue::Entry,
    ) -> io::Result<()> {
        let entry = entry(&operation);
        let raw = Box::into_raw(operation);
        let entry = entry.user_data(raw as u64);
        let guard = self.submission.lock();
        // SAFETY: the lock makes this the only submission queue in use; the entry's memory and file
        // live in the operation until its completion was seen.
        let pushed = unsafe { self.ring.submission_shared().push(&entry) };
        if pushed.is_err() {
            drop(guard);
            // SAFETY: the entry was not pushed, so the box has no other owner.
            drop(unsafe { Box::from_raw(raw) });
            return Err(io::Error::other("the submission queue is full"));
        }
        loop {
            match self.ring.submit() {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The entry is queued and goes with the next submission; it must not be freed here.
                Err(error) if is_busy(&error) => std::thread::yield_now(),
                Err(error) => {
                    tracing::error!(%error, "io_uring does not take submissions");
                    return Ok(());
                }
            }
        }
    }

    fn transfer_entry(
        &self,
        operation: &Operation,
        file: types::Fd,
        offset: u64,
        write: bool,
    ) -> squeue::Entry {
        if let ([only], true) = (operation.buffers.as_slice(), self.registered)
            && let Some(index) = only.registered_index()
        {
            let (start, length) = (only.as_ptr(), only.len() as u32);
            return if write {
                opcode::WriteFixed::new(file, start, length, index)
                    .offset(offset)
                    .build()
            } else {
                opcode::ReadFixed::new(file, start, length, index)
                    .offset(offset)
                    .build()
            };
        }
        let (vectors, count) = (operation.vectors.as_ptr(), operation.vectors.len() as u32);
        if write {
            opcode::Writev::new(file, vectors, count)
                .offset(offset)
                .build()
        } else {
            opcode::Readv::new(file, vectors, count)
                .offset(offset)
                .build()
        }
    }

    fn complete_until_stopped(&self) {
        loop {
            match self.ring.submitter().submit_and_wait_completion() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted || is_busy(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "io_uring does not give completions");
                    return;
                }
            }
            // SAFETY: only this thread takes completions.
            let completions = unsafe { self.ring.completion_shared() };
            for completion in completions {
                // SAFETY: every entry's user data is a box given away in `submit`, and completes once.
                let mut operation =
                    unsafe { Box::from_raw(completion.user_data() as *mut Operation) };
                let buffers = std::mem::take(&mut operation.buffers);
                if let Some(done) = operation.done.take() {
                    // The caller may have gone away; the buffers go back to the pool then.
                    let _ = done.send((completion.result(), buffers));
                }
            }
            let idle = self.in_flight.available_permits() == self.queue_depth as usize;
            if self.stopping.load(Ordering::Acquire) && idle {
                return;
            }
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY))
}

/// Waiting without touching the submission queue, which belongs to the callers.
trait WaitCompletion {
    fn submit_and_wait_completion(&self) -> io::Result<()>;
}

impl WaitCompletion for io_uring::Submitter<'_> {
    fn submit_and_wait_completion(&self) -> io::Result<()> {
        const IORING_ENTER_GETEVENTS: u32 = 1;
        // SAFETY: submits nothing and passes no argument; only waits for one completion.
        unsafe { self.enter::<libc::sigset_t>(0, 1, IORING_ENTER_GETEVENTS, None) }.map(drop)
    }
}

impl Drop for UringDevice {
    fn drop(&mut self) {
        self.ring.stopping.store(true, Ordering::Release);
        // A no-op wakes the thread; it ends once nothing is in flight.
        let wake = Box::new(Operation {
            vectors: Vec::new(),
            buffers: Vec::new(),
            _file: None,
            _permit: None,
            done: None,
        });
        let woken = self.ring.submit(wake, |_| opcode::Nop::new().build());
        if let (Ok(()), Some(thread)) = (woken, self.completions.take()) {
            drop(thread);
        }
    }
}

impl std::fmt::Debug for UringDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UringDevice")
            .field("directory", &self.directory)
            .field("pools", &self.pools)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Device for UringDevice {
    fn pools(&self) -> &BufferPools {
        &self.pools
    }

    async fn list(&self) -> io::Result<Vec<String>> {
        self.directory.list().await
    }

    async fn open(&self, name: &str) -> io::Result<(FileId, u64)> {
        self.directory.open(name).await
    }

    async fn create(&self, name: &str, bytes: u64) -> io::Result<FileId> {
        self.directory.create(name, bytes).await
    }

    async fn close(&self, file: FileId) {
        self.directory.close(file);
    }

    async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.directory.rename(from, to).await
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        self.directory.delete(name).await
    }

    async fn sync_directory(&self) -> io::Result<()> {
        self.directory.sync_directory().await
    }

    async fn read_at(
        &self,
        file: FileId,
        offset: u64,
        buffers: Vec<Buffer>,
    ) -> io::Result<Vec<Buffer>> {
        self.transfer(file, offset, buffers, false).await
    }

    async fn write_at(&self, file: FileId, offset: u64, buffers: Vec<Buffer>) -> io::Result<()> {
        self.transfer(file, offset, buffers, true).await.map(drop)
    }

    async fn flush(&self, file: FileId) -> io::Result<()> {
        let file = self.directory.file(file)?;
        let flush = |_: &Ring, _: &Operation, file| {
            opcode::Fsync::new(file)
                .flags(types::FsyncFlags::DATASYNC)
                .build()
        };
        let (result, _) = self.ring.run(Some(file), Vec::new(), flush).await?;
        check(result).map(drop)
    }

    async fn space(&self) -> io::Result<DeviceSpace> {
        self.directory.space().await
    }
}
