//! Directory operations that both real devices share: plain system calls, run on tokio's blocking
//! threads, few at a time.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustix::fs::{FallocateFlags, FlockOperation, OFlags};
use tokio::sync::Semaphore;

use super::{Buffer, DeviceSpace, FileId};

/// Blocking calls at once at most.
const BLOCKING_CALLS_MAX: usize = 16;

/// A directory and its open files.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    open: RwLock<Vec<Option<Arc<File>>>>,
    direct: bool,
    calls: Arc<Semaphore>,
    /// Holds the lock that keeps other processes out; shared with whatever is still in flight.
    lock: Arc<File>,
}

impl Directory {
    /// `direct`: whether to bypass the page cache.
    ///
    /// Fails with [`io::ErrorKind::WouldBlock`] while another process (or device) has the directory.
    pub(super) fn new(path: &Path, direct: bool) -> io::Result<Self> {
        let lock = File::open(path)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            path: path.to_owned(),
            open: RwLock::new(Vec::new()),
            direct,
            calls: Arc::new(Semaphore::new(BLOCKING_CALLS_MAX)),
            lock: Arc::new(lock),
        })
    }

    /// Keeps the directory locked while it lives.
    pub(super) fn lock(&self) -> Arc<File> {
        Arc::clone(&self.lock)
    }

    /// Runs `call` where it may block.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let permit = Arc::clone(&self.calls).acquire_owned().await;
        let lock = self.lock();
        tokio::task::spawn_blocking(move || {
            let _held = (permit, lock);
            call()
        })
        .await
        .map_err(io::Error::other)?
    }

    pub(super) fn file(&self, id: FileId) -> io::Result<Arc<File>> {
        let open = self.open.read();
        let file = open.get(id.0 as usize).and_then(Option::as_ref);
        file.cloned()
            .ok_or_else(|| io::Error::other(format!("file {} is not open", id.0)))
    }

    pub(super) async fn list(&self) -> io::Result<Vec<String>> {
        let path = self.path.clone();
        self.blocking(move || {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(path)? {
                let entry = entry?;
                if entry.file_type()?.is_file()
                    && let Ok(name) = entry.file_name().into_string()
                {
                    names.push(name);
                }
            }
            Ok(names)
        })
        .await
    }

    pub(super) async fn open(&self, name: &str) -> io::Result<(FileId, u64)> {
        let (path, direct) = (self.path.join(name), self.direct);
        let (file, bytes) = self
            .blocking(move || {
                let file = open_file(&path, direct, false)?;
                let bytes = file.metadata()?.len();
                Ok((file, bytes))
            })
            .await?;
        Ok((self.keep(file), bytes))
    }

    pub(super) async fn create(&self, name: &str, bytes: u64) -> io::Result<FileId> {
        let (path, direct) = (self.path.join(name), self.direct);
        let file = self
            .blocking(move || {
                let file = open_file(&path, direct, true)?;
                allocate(&file, bytes).inspect_err(|_| {
                    // Leave nothing behind; if even this fails, the next start reuses the file.
                    let _ = std::fs::remove_file(&path);
                })?;
                Ok(file)
            })
            .await?;
        Ok(self.keep(file))
    }

    fn keep(&self, file: File) -> FileId {
        let mut open = self.open.write();
        let file = Some(Arc::new(file));
        match open.iter().position(Option::is_none) {
            Some(slot) => {
                open[slot] = file;
                FileId(slot as u32)
            }
            None => {
                open.push(file);
                FileId(open.len() as u32 - 1)
            }
        }
    }

    pub(super) fn close(&self, id: FileId) {
        if let Some(slot) = self.open.write().get_mut(id.0 as usize) {
            *slot = None;
        }
    }

    pub(super) async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.path.join(from), self.path.join(to));
        self.blocking(move || std::fs::rename(from, to)).await
    }

    pub(super) async fn delete(&self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        self.blocking(move || std::fs::remove_file(path)).await
    }

    pub(super) async fn sync_directory(&self) -> io::Result<()> {
        let path = self.path.clone();
        self.blocking(move || File::open(path)?.sync_all()).await
    }

    pub(super) async fn space(&self) -> io::Result<DeviceSpace> {
        let path = self.path.clone();
        self.blocking(move || {
            let status = rustix::fs::statvfs(&path)?;
            Ok(DeviceSpace {
                total_bytes: status.f_blocks * status.f_frsize,
                free_bytes: status.f_bavail * status.f_frsize,
            })
        })
        .await
    }
}

fn open_file(path: &Path, direct: bool, new: bool) -> io::Result<File> {
    let options = |flags: OFlags| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(new).truncate(new);
        options.custom_flags(flags.bits() as i32);
        options
    };
    if direct {
        match options(OFlags::DIRECT).open(path) {
            // EINVAL: the file system has no O_DIRECT.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            opened => return opened,
        }
    }
    options(OFlags::empty()).open(path)
}

fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file.as_fd(), FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(()),
        // Not every file system can allocate ahead; then a full disk shows only when written.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(bytes),
        Err(error) => Err(error.into()),
    }
}

/// Whether the directory's file system takes O_DIRECT.
pub(super) fn supports_direct(path: &Path) -> io::Result<bool> {
    let probe = path.join(".probe-direct");
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(OFlags::DIRECT.bits() as i32)
        .open(&probe);
    let supported = match opened {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(false),
        Err(error) => Err(error),
    };
    match std::fs::remove_file(&probe) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => supported,
    }
}

pub(super) fn read_exact_at(
    file: &File,
    mut offset: u64,
    buffers: &mut [Buffer],
) -> io::Result<()> {
    for buffer in buffers {
        file.read_exact_at(buffer.as_mut(), offset)?;
        offset += buffer.len() as u64;
    }
    Ok(())
}

pub(super) fn write_all_at(file: &File, mut offset: u64, buffers: &[Buffer]) -> io::Result<()> {
    for buffer in buffers {
        file.write_all_at(buffer.as_ref(), offset)?;
        offset += buffer.len() as u64;
    }
    Ok(())
}
