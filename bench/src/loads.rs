//! The loads, in the order they run: later ones use what earlier ones wrote.

use anyhow::{Result, ensure};
use sluice_proto_nfs::nfs3::{CreateHow, FileHandle, StableHow};
use sluice_tests::nfs_client::NfsClient;
use sluice_tests::nfs_client::files::{make_file, with_mode};

use crate::measure::calls;
use crate::report::Row;
use crate::server::Server;

const SEQUENTIAL_BYTES: usize = 1 << 20;
const RANDOM_BYTES: usize = 4096;

/// A file that was just written may be served from where it was written to; its readers usually come later.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(5);

/// Where and how large a load runs.
#[derive(Debug)]
pub struct Setting {
    /// Who calls.
    pub client: NfsClient,
    /// An empty directory of the run's own.
    pub directory: FileHandle,
    /// Calls in flight.
    pub in_flight: usize,
    /// Size of the large file.
    pub file_bytes: u64,
    /// Number of small calls.
    pub calls: u64,
}

/// A load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// A new file in 1 MiB UNSTABLE writes, COMMIT counted.
    SequentialWrite,
    /// The same again over it.
    SequentialOverwrite,
    /// The file in 1 MiB reads, the first time.
    SequentialRead,
    /// Once more.
    SequentialReadAgain,
    /// 4 KiB reads all over it.
    RandomRead,
    /// 4 KiB UNSTABLE writes all over it, COMMIT counted.
    RandomWrite,
    /// 4 KiB FILE_SYNC writes all over it.
    RandomWriteSync,
    /// GETATTR of it.
    GetAttributes,
    /// New files in one directory.
    Create,
    /// Their names looked up.
    Lookup,
    /// Their names removed.
    Remove,
}

impl Load {
    /// All, in order.
    pub const ALL: [Self; 11] = [
        Self::SequentialWrite,
        Self::SequentialOverwrite,
        Self::SequentialRead,
        Self::SequentialReadAgain,
        Self::RandomRead,
        Self::RandomWrite,
        Self::RandomWriteSync,
        Self::GetAttributes,
        Self::Create,
        Self::Lookup,
        Self::Remove,
    ];

    /// As tables have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SequentialWrite => "write 1 MiB, new file, COMMIT",
            Self::SequentialOverwrite => "write 1 MiB, overwrite, COMMIT",
            Self::SequentialRead => "read 1 MiB, first",
            Self::SequentialReadAgain => "read 1 MiB, again",
            Self::RandomRead => "read 4 KiB, random",
            Self::RandomWrite => "write 4 KiB, random, COMMIT",
            Self::RandomWriteSync => "write 4 KiB, random, FILE_SYNC",
            Self::GetAttributes => "getattr",
            Self::Create => "create",
            Self::Lookup => "lookup",
            Self::Remove => "remove",
        }
    }

    /// Whether later loads need what this one leaves.
    pub const fn prepares(self) -> bool {
        matches!(self, Self::SequentialWrite | Self::Create)
    }

    /// Runs it.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn run(self, setting: &Setting, server: &Server) -> Result<Row> {
        match self {
            Self::SequentialWrite => {
                make_file(&setting.client, setting.directory, "large").await?;
                self.write(setting, server, Order::Ascending, StableHow::Unstable)
                    .await
            }
            Self::SequentialOverwrite => {
                self.write(setting, server, Order::Ascending, StableHow::Unstable)
                    .await
            }
            Self::SequentialRead => {
                tokio::time::sleep(SETTLE).await;
                self.read(setting, server, Order::Ascending).await
            }
            Self::SequentialReadAgain => self.read(setting, server, Order::Ascending).await,
            Self::RandomRead => self.read(setting, server, Order::Random).await,
            Self::RandomWrite => {
                self.write(setting, server, Order::Random, StableHow::Unstable)
                    .await
            }
            Self::RandomWriteSync => {
                self.write(setting, server, Order::Random, StableHow::FileSync)
                    .await
            }
            _ => self.names(setting, server).await,
        }
    }

    async fn write(
        self,
        setting: &Setting,
        server: &Server,
        order: Order,
        stable: StableHow,
    ) -> Result<Row> {
        let client = &setting.client;
        let file = client.lookup(setting.directory, b"large").await?.object;
        let (count, data) = (order.count(setting), pattern(order.call_bytes()));
        let measured = calls(
            server,
            count,
            setting.in_flight,
            |index| {
                let data = &data;
                async move {
                    let offset = order.offset(index, setting);
                    let written = client.write(file, offset, data, stable).await?;
                    ensure!(written.count as usize == data.len(), "a short write");
                    Ok(())
                }
            },
            async {
                if stable == StableHow::Unstable {
                    client.commit(file, 0, 0).await?;
                }
                Ok(())
            },
        );
        let bytes = count * data.len() as u64;
        Ok(Row::new(self.name(), &measured.await?, bytes))
    }

    async fn read(self, setting: &Setting, server: &Server, order: Order) -> Result<Row> {
        let client = &setting.client;
        let file = client.lookup(setting.directory, b"large").await?.object;
        let (count, length) = (order.count(setting), order.call_bytes());
        let measured = calls(
            server,
            count,
            setting.in_flight,
            |index| async move {
                let offset = order.offset(index, setting);
                let read = client.read(file, offset, length as u32).await?;
                ensure!(read.data.len() == length, "a short read");
                Ok(())
            },
            async { Ok(()) },
        );
        Ok(Row::new(
            self.name(),
            &measured.await?,
            count * length as u64,
        ))
    }

    async fn names(self, setting: &Setting, server: &Server) -> Result<Row> {
        let (client, directory) = (&setting.client, setting.directory);
        let large = client.lookup(directory, b"large").await?.object;
        let measured = calls(
            server,
            setting.calls,
            setting.in_flight,
            |index| async move {
                let name = format!("file-{index:08}");
                match self {
                    Self::Create => {
                        let how = CreateHow::Guarded(with_mode(0o644));
                        client.create(directory, name.as_bytes(), how).await?;
                    }
                    Self::Lookup => drop(client.lookup(directory, name.as_bytes()).await?),
                    Self::Remove => drop(client.remove(directory, name.as_bytes()).await?),
                    _ => drop(client.getattr(large).await?),
                }
                Ok(())
            },
            async { Ok(()) },
        );
        Ok(Row::new(self.name(), &measured.await?, 0))
    }
}

/// Where in the large file a call goes.
#[derive(Clone, Copy, Debug)]
enum Order {
    Ascending,
    Random,
}

impl Order {
    const fn call_bytes(self) -> usize {
        match self {
            Self::Ascending => SEQUENTIAL_BYTES,
            Self::Random => RANDOM_BYTES,
        }
    }

    fn count(self, setting: &Setting) -> u64 {
        match self {
            Self::Ascending => setting.file_bytes / SEQUENTIAL_BYTES as u64,
            Self::Random => setting.calls,
        }
    }

    fn offset(self, index: u64, setting: &Setting) -> u64 {
        match self {
            Self::Ascending => index * SEQUENTIAL_BYTES as u64,
            Self::Random => {
                // The same sequence in every run: a multiplicative hash of the index.
                let blocks = setting.file_bytes / RANDOM_BYTES as u64;
                (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % blocks * RANDOM_BYTES as u64
            }
        }
    }
}

/// Bytes that do not compress to nothing.
fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect()
}
