//! The fallback device: positioned reads and writes through the page cache on a few threads, made
//! durable by fdatasync.

use std::io;
use std::path::Path;

use async_trait::async_trait;

use super::files::{Directory, read_exact_at, write_all_at};
use super::{Buffer, BufferPools, Device, DeviceOptions, DeviceSpace, FileId};

/// A directory accessed with ordinary system calls.
#[derive(Debug)]
pub struct ThreadDevice {
    directory: Directory,
    pools: BufferPools,
}

impl ThreadDevice {
    /// Opens a directory that is there.
    ///
    /// # Errors
    /// If it is not; [`io::ErrorKind::WouldBlock`] while another process has it.
    pub fn open(path: &Path, options: DeviceOptions) -> io::Result<Self> {
        if !path.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self {
            directory: Directory::new(path, false)?,
            pools: options.pools(),
        })
    }
}

#[async_trait]
impl Device for ThreadDevice {
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
        mut buffers: Vec<Buffer>,
    ) -> io::Result<Vec<Buffer>> {
        let file = self.directory.file(file)?;
        let read = move || {
            read_exact_at(&file, offset, &mut buffers)?;
            Ok(buffers)
        };
        self.directory.blocking(read).await
    }

    async fn write_at(&self, file: FileId, offset: u64, buffers: Vec<Buffer>) -> io::Result<()> {
        let file = self.directory.file(file)?;
        let write = move || write_all_at(&file, offset, &buffers);
        self.directory.blocking(write).await
    }

    async fn flush(&self, file: FileId) -> io::Result<()> {
        let file = self.directory.file(file)?;
        self.directory.blocking(move || file.sync_data()).await
    }

    async fn space(&self) -> io::Result<DeviceSpace> {
        self.directory.space().await
    }
}
