//! The engine inside the process, on fjall: an LSM tree with a journal.
//!
//! fjall's own journal is locked while it is synced, so a transaction that committed straight into it
//! would block its thread behind another's fsync. Transactions therefore commit into the overlay of
//! [`super::group_commit`], and one flusher thread writes all that gathered as one fjall batch with one
//! `fdatasync`. No fsync ever runs on a thread of the async runtime; reads are served there,
//! as they come from the overlay, the memtable or the block cache, and only for cold blocks from disk.
//!
//! fjall makes a writer wait while its background threads lag behind, and goes on waiting when they have died of an error
//! (a full disk, say). A second thread of ours therefore asks it every second whether that has happened, and fails the
//! engine: the flusher may hang then, but no caller does.
//!
//! A batch torn by a power cut is cut off when the store is opened; see [`super::journal_tail`].

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fjall::{
    CompressionType, Database, Iter, Keyspace, KeyspaceCreateOptions, PersistMode, Readable,
    UserValue,
};
use parking_lot::Mutex;
use rustix::fs::FlockOperation;
use sluice_types::Clock;

use super::group_commit::{Base, BatchEntry, Flushed, GroupCommit};
use super::snapshot::Snapshot;
use super::{CommitPoint, Engine, Isolation, Key, KeyRange, KvError, Transaction, journal_tail};
use crate::metrics;

/// How much the embedded engine may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// Memory for blocks of tables on disk, in bytes.
    pub cache_bytes: u64,
    /// Disk for journals, in bytes; at least 64 MiB.
    pub journal_bytes_max: u64,
    /// With less of the disk free, in bytes, the engine says that it is low on space: what is left is for removals, and for
    /// merging tables, which needs space to free some.
    pub free_bytes_min: u64,
}

impl Default for EmbeddedOptions {
    /// 128 MiB of cache, 512 MiB of journals, 256 MiB kept free.
    fn default() -> Self {
        Self {
            cache_bytes: 128 << 20,
            journal_bytes_max: 512 << 20,
            free_bytes_min: 256 << 20,
        }
    }
}

/// The store in one directory of this machine.
#[derive(Debug)]
pub struct EmbeddedEngine {
    shared: Arc<GroupCommit<FjallBase>>,
    threads: Vec<JoinHandle<()>>,
    space: FreeSpace,
}

impl EmbeddedEngine {
    /// Opens the store in `directory`, which is made if it is not there. Blocks while the journal is read.
    ///
    /// # Errors
    /// [`KvError::Engine`] if the directory cannot be used or another process has it open, or if what is there is
    /// damaged in a way that a power cut does not explain.
    pub fn open(
        directory: &Path,
        options: EmbeddedOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KvError> {
        let base = FjallBase::open(directory, options)?;
        let space = FreeSpace::new(directory, options.free_bytes_min, Arc::clone(&clock))
            .map_err(|error| engine_error("looking at the free space", &error))?;
        let shared = Arc::new(GroupCommit::new(base));
        let mut engine = Self {
            shared: Arc::clone(&shared),
            threads: Vec::new(),
            space,
        };
        let of_flusher = Arc::clone(&shared);
        engine.start_thread("meta-flush", move || run_flusher(&of_flusher, &*clock))?;
        engine.start_thread("meta-watch", move || shared.watch_base(WATCH_INTERVAL))?;
        Ok(engine)
    }

    fn start_thread(
        &mut self,
        name: &str,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), KvError> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(run);
        let thread = thread.map_err(|error| engine_error("starting a thread", &error))?;
        self.threads.push(thread);
        Ok(())
    }

    /// How many flushes there were: each made one or more commits durable.
    pub fn flush_count(&self) -> u64 {
        self.shared.flush_count()
    }
}

impl Drop for EmbeddedEngine {
    /// Stops the threads. What nobody was told is durable may be lost, as it may be by a crash. A flusher that hangs in a
    /// store that has failed is left behind: it holds nothing that could still be saved.
    fn drop(&mut self) {
        self.shared.close();
        let has_failed = self.shared.failure().is_some();
        for thread in self.threads.drain(..) {
            if has_failed && !thread.is_finished() {
                continue;
            }
            if thread.join().is_err() {
                tracing::error!("a thread of the metadata store panicked");
            }
        }
    }
}

#[async_trait]
impl Engine for EmbeddedEngine {
    fn begin(&self, isolation: Isolation) -> Box<dyn Transaction> {
        Box::new(self.shared.begin(isolation))
    }

    fn is_durable(&self, point: CommitPoint) -> bool {
        self.shared.is_durable(point)
    }

    async fn durable(&self, point: CommitPoint) -> Result<(), KvError> {
        if self.shared.is_durable(point) {
            return Ok(());
        }
        self.shared.wait_flushed(point).await
    }

    fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    fn snapshot(&self) -> Arc<dyn Engine> {
        let base = self.shared.base();
        Snapshot::of(FjallSnapshot {
            snapshot: base.database.snapshot(),
            pairs: base.pairs.clone(),
        })
    }

    fn is_low_on_space(&self) -> bool {
        self.space.is_low()
    }
}

/// How often the free space is looked at, at most.
const SPACE_INTERVAL: Duration = Duration::from_secs(1);

/// Whether the disk is almost full. A write that no longer fits fails the engine until it is opened again, so
/// what makes the store grow has to be refused before.
#[derive(Debug)]
struct FreeSpace {
    directory: File,
    free_bytes_min: u64,
    clock: Arc<dyn Clock>,
    /// When it was looked at last, and what was seen.
    seen: Mutex<(Duration, bool)>,
}

impl FreeSpace {
    fn new(directory: &Path, free_bytes_min: u64, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let directory = File::open(directory)?;
        let low = free_bytes(&directory)? < free_bytes_min;
        Ok(Self {
            directory,
            free_bytes_min,
            seen: Mutex::new((clock.monotonic(), low)),
            clock,
        })
    }

    fn is_low(&self) -> bool {
        let now = self.clock.monotonic();
        let mut seen = self.seen.lock();
        if now.saturating_sub(seen.0) >= SPACE_INTERVAL {
            // If it cannot be told, what was seen last holds on.
            let low = free_bytes(&self.directory).map_or(seen.1, |free| free < self.free_bytes_min);
            if low && !seen.1 {
                tracing::error!(
                    free_bytes_min = self.free_bytes_min,
                    "the metadata disk is almost full: nothing new can be made until there is space"
                );
            }
            *seen = (now, low);
        }
        seen.1
    }
}

fn free_bytes(directory: &File) -> std::io::Result<u64> {
    let status = rustix::fs::fstatvfs(directory)?;
    Ok(status.f_bavail.saturating_mul(status.f_frsize))
}

/// Makes `directory` and what lacks above it, so that a power cut does not take it away again.
fn make_directory(directory: &Path) -> std::io::Result<()> {
    let directory = std::path::absolute(directory)?;
    let lacking: Vec<_> = directory
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    std::fs::create_dir_all(&directory)?;
    for parent in lacking.into_iter().filter_map(Path::parent) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// How often the store below is asked whether it has failed.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The longest that a flush waits for company.
const PATIENCE_MAX: Duration = Duration::from_millis(1);

fn run_flusher(shared: &GroupCommit<FjallBase>, clock: &dyn Clock) {
    let mut last = Flushed::default();
    let mut patience = Duration::ZERO;
    while shared.wait_for_commits(last, patience) {
        let began = clock.monotonic();
        // A failure is kept in the shared state, where every waiter and every later commit meets it.
        let Ok(flushed) = shared.flush() else {
            continue;
        };
        let elapsed = clock.monotonic().saturating_sub(began);
        metrics::flush(flushed.commits, elapsed);
        // Waiting a quarter of a flush can save a whole one.
        patience = (elapsed / 4).min(PATIENCE_MAX);
        last = flushed;
    }
}

/// fjall below the overlay.
struct FjallBase {
    database: Database,
    pairs: Keyspace,
}

impl std::fmt::Debug for FjallBase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallBase").finish_non_exhaustive()
    }
}

impl FjallBase {
    fn open(directory: &Path, options: EmbeddedOptions) -> Result<Self, KvError> {
        make_directory(directory).map_err(|error| engine_error("making the directory", &error))?;
        let unfinished = Unfinished::note(directory)
            .map_err(|error| engine_error("making a new store", &error))?;
        let opened = Self::open_made(directory, options)?;
        if let Some(unfinished) = unfinished {
            let finished = unfinished.finish(directory);
            finished.map_err(|error| engine_error("finishing a new store", &error))?;
        }
        Ok(opened)
    }

    fn open_made(directory: &Path, options: EmbeddedOptions) -> Result<Self, KvError> {
        journal_tail::check(directory)
            .map_err(|error| engine_error("reading the journal", &error))?;
        let database = match open_database(directory, options) {
            Err(fjall::Error::JournalRecovery(reason)) => {
                tracing::warn!(?reason, "the metadata journal has a broken batch");
                journal_tail::cut_torn_batch(directory)
                    .map_err(|error| engine_error("repairing the journal", &error))?;
                open_database(directory, options)
            }
            opened => opened,
        };
        let database = database.map_err(|error| fjall_error("opening the store", &error))?;
        let pairs = database
            .keyspace("meta", keyspace_options)
            .map_err(|error| fjall_error("opening the keyspace", &error))?;
        Ok(Self { database, pairs })
    }
}

/// A store that is being made. fjall cannot open what is left of one if its maker was killed; but nobody ever
/// used it, so it is made again from nothing.
struct Unfinished(File);

impl Unfinished {
    const NAME: &str = "unfinished";

    /// Notes that a store is being made in `directory`, if it is empty or has such a note, and clears it.
    fn note(directory: &Path) -> std::io::Result<Option<Self>> {
        let path = directory.join(Self::NAME);
        let is_empty = std::fs::read_dir(directory)?.next().is_none();
        if !is_empty && !path.exists() {
            return Ok(None);
        }
        let note = File::create(path)?;
        rustix::fs::flock(&note, FlockOperation::NonBlockingLockExclusive)?;
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else if entry.file_name() != Self::NAME {
                std::fs::remove_file(entry.path())?;
            }
        }
        File::open(directory)?.sync_all()?;
        Ok(Some(Self(note)))
    }

    /// The store is made and may be used.
    fn finish(self, directory: &Path) -> std::io::Result<()> {
        std::fs::remove_file(directory.join(Self::NAME))?;
        File::open(directory)?.sync_all()?;
        drop(self.0);
        Ok(())
    }
}

fn open_database(directory: &Path, options: EmbeddedOptions) -> Result<Database, fjall::Error> {
    Database::builder(directory)
        .cache_size(options.cache_bytes)
        .max_journaling_size(options.journal_bytes_max.max(64 << 20))
        .journal_compression(CompressionType::None)
        .manual_journal_persist(true)
        .worker_threads(2)
        .open()
}

fn keyspace_options() -> KeyspaceCreateOptions {
    // Creating a file looks for a name that is not there: filters on all levels stay worth their space.
    KeyspaceCreateOptions::default().manual_journal_persist(true)
}

fn found_value(value: Result<Option<UserValue>, fjall::Error>) -> Result<Option<Bytes>, KvError> {
    let value = value.map_err(|error| fjall_error("reading a key", &error))?;
    Ok(value.map(Bytes::from))
}

fn first_pairs(found: Iter, limit: usize) -> Result<Vec<(Key, Bytes)>, KvError> {
    let pairs = found.take(limit).map(|pair| {
        let (key, value) = pair.into_inner()?;
        Ok((Key::new(&key), Bytes::from(value)))
    });
    let pairs: Result<_, fjall::Error> = pairs.collect();
    pairs.map_err(|error| fjall_error("reading a range", &error))
}

/// fjall as it was at one moment: a batch is seen wholly or not at all, and only after its sync.
struct FjallSnapshot {
    snapshot: fjall::Snapshot,
    pairs: Keyspace,
}

impl std::fmt::Debug for FjallSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallSnapshot").finish_non_exhaustive()
    }
}

impl Base for FjallSnapshot {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, KvError> {
        found_value(self.snapshot.get(&self.pairs, key.as_bytes()))
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Bytes)>, KvError> {
        let bounds = range.start.as_bytes()..range.end.as_bytes();
        first_pairs(self.snapshot.range::<&[u8], _>(&self.pairs, bounds), limit)
    }

    fn apply(&self, _: Vec<BatchEntry>) -> Result<(), KvError> {
        Err(KvError::Engine {
            doing: "writing a batch",
            reason: "a snapshot takes none".into(),
        })
    }
}

impl Base for FjallBase {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, KvError> {
        found_value(self.pairs.get(key))
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<(Key, Bytes)>, KvError> {
        let bounds = range.start.as_bytes()..range.end.as_bytes();
        first_pairs(self.pairs.range::<&[u8], _>(bounds), limit)
    }

    fn apply(&self, batch: Vec<BatchEntry>) -> Result<(), KvError> {
        let mut write = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (key, value) in batch {
            match value {
                Some(value) => write.insert(&self.pairs, key.as_bytes(), value),
                None => write.remove(&self.pairs, key.as_bytes()),
            }
        }
        let committed = write.commit();
        committed.map_err(|error| fjall_error("writing a batch", &error))
    }

    fn failure(&self) -> Option<KvError> {
        // There is no other way to ask. It writes nothing: each batch is synced before its commit returns.
        let asked = self.database.persist(PersistMode::Buffer);
        let error = asked.err()?;
        Some(fjall_error("working in the background", &error))
    }
}

fn fjall_error(doing: &'static str, error: &fjall::Error) -> KvError {
    match error {
        fjall::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => {
            KvError::NoSpace { doing }
        }
        fjall::Error::Locked => KvError::Engine {
            doing,
            reason: "another process has the directory open".into(),
        },
        other => engine_error(doing, other),
    }
}

fn engine_error(doing: &'static str, error: &dyn std::error::Error) -> KvError {
    KvError::Engine {
        doing,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
