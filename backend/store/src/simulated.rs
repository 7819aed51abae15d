//! A disk in memory for tests and simulations, which fails as real ones do.
//!
//! Every file has its contents as readers see them, and as they are on the medium: a flush copies the
//! one to the other. A crash ([`SimulatedDisk::crash`]) leaves, of what was written since, an arbitrary choice
//! of 512-byte sectors, and of what was done to the directory since it was synced, an arbitrary
//! beginning. Everything follows from the seed.
//!
//! Each device operation has a number; a test can stop the disk, or fail an operation, at any of
//! them. Space is bounded, bits can be flipped.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::device::{Buffer, BufferPools, Device, DeviceSpace, FileId};

const SECTOR_BYTES: usize = 512;
const PAGE_BYTES: usize = 4096;
const POOL_BYTES: usize = 2 << 20;
const READ_HEAP_BYTES_MAX: usize = 4 << 20;

/// A disk that outlives the stores that are opened on it. Clones share it.
#[derive(Clone)]
pub struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("SimulatedDisk")
            .field("files", &state.names)
            .field("operations", &state.operations)
            .field("faults", &state.faults)
            .finish_non_exhaustive()
    }
}

/// What a test can make go wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The operation with this number, and all later ones, fail and do nothing: the machine is gone.
    pub crash_at: Option<u64>,
    /// Operations with these numbers fail once, with an I/O error, and do nothing.
    pub fail_at: HashSet<u64>,
    /// All writes fail.
    pub fail_writes: bool,
    /// All reads fail.
    pub fail_reads: bool,
    /// Reads that touch these bytes of the file with that name fail.
    pub unreadable: Option<(String, Range<u64>)>,
    /// All flushes fail. What a failed flush was to make durable stays readable, and is lost at a
    /// crash, whatever is flushed later.
    pub fail_flushes: bool,
    /// Writes from that offset of a file on begin that much later.
    pub slow_writes: Option<(u64, Duration)>,
    /// How long each operation takes; none: one turn of the scheduler.
    pub latency: Option<Duration>,
}

struct State {
    names: BTreeMap<String, u64>,
    /// Names as they are on the medium, and what was done since.
    durable_names: BTreeMap<String, u64>,
    pending_names: Vec<NameChange>,
    files: HashMap<u64, File>,
    open: Vec<Option<u64>>,
    next_file: u64,
    capacity_bytes: u64,
    operations: u64,
    /// Grows when process or machine go: what was under way then does not happen.
    life: u64,
    faults: Faults,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, u64),
    Rename(String, String),
    Delete(String),
}

#[derive(Clone, Default)]
struct File {
    bytes: u64,
    seen: Pages,
    durable: Pages,
    unflushed: Vec<(u64, Vec<u8>)>,
}

#[derive(Clone, Default)]
struct Pages(BTreeMap<u64, Box<[u8; PAGE_BYTES]>>);

impl Pages {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (page, within) = (at / PAGE_BYTES as u64, (at % PAGE_BYTES as u64) as usize);
            let take = (PAGE_BYTES - within).min(bytes.len() - done);
            let page = self
                .0
                .entry(page)
                .or_insert_with(|| Box::new([0; PAGE_BYTES]));
            page[within..within + take].copy_from_slice(&bytes[done..done + take]);
            done += take;
        }
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let (page, within) = (at / PAGE_BYTES as u64, (at % PAGE_BYTES as u64) as usize);
            let take = (PAGE_BYTES - within).min(bytes.len() - done);
            let target = &mut bytes[done..done + take];
            match self.0.get(&page) {
                Some(page) => target.copy_from_slice(&page[within..within + take]),
                None => target.fill(0),
            }
            done += take;
        }
    }
}

/// A small generator for choices that follow from a seed (splitmix64).
#[derive(Clone, Copy, Debug)]
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(capacity_bytes: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                names: BTreeMap::new(),
                durable_names: BTreeMap::new(),
                pending_names: Vec::new(),
                files: HashMap::new(),
                open: Vec::new(),
                next_file: 0,
                capacity_bytes,
                operations: 0,
                life: 0,
                faults: Faults::default(),
            })),
        }
    }

    /// A device on this disk.
    pub fn device(&self) -> Arc<dyn Device> {
        Arc::new(SimulatedDevice {
            disk: self.clone(),
            pools: BufferPools::new(POOL_BYTES, POOL_BYTES, READ_HEAP_BYTES_MAX),
        })
    }

    /// Number of device operations so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// Changes the size of the disk.
    pub fn set_capacity(&self, capacity_bytes: u64) {
        self.state.lock().capacity_bytes = capacity_bytes;
    }

    /// The power goes, and comes back: what was not flushed survives in parts that follow from the seed. Open
    /// files are forgotten and faults are gone.
    pub fn crash(&self, seed: u64) {
        self.state.lock().crash(seed);
    }

    /// The process dies, the machine does not: everything written is there.
    pub fn restart_process(&self) {
        let mut state = self.state.lock();
        state.open.clear();
        state.life += 1;
        state.faults = Faults::default();
    }

    /// An independent copy of the disk as it is.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.state.lock();
        Self {
            state: Arc::new(Mutex::new(State {
                names: state.names.clone(),
                durable_names: state.durable_names.clone(),
                pending_names: state.pending_names.clone(),
                files: state.files.clone(),
                open: state.open.clone(),
                faults: state.faults.clone(),
                ..*state
            })),
        }
    }

    /// Names of all files.
    pub fn files(&self) -> Vec<String> {
        self.state.lock().names.keys().cloned().collect()
    }

    /// Changes one bit of a file, on the medium too. False if there is no such file.
    pub fn flip_bit(&self, name: &str, byte: u64, bit: u8) -> bool {
        let mut state = self.state.lock();
        let Some(&id) = state.names.get(name) else {
            return false;
        };
        let Some(file) = state.files.get_mut(&id) else {
            return false;
        };
        for pages in [&mut file.seen, &mut file.durable] {
            let mut value = [0];
            pages.read(byte, &mut value);
            pages.write(byte, &[value[0] ^ (1 << (bit % 8))]);
        }
        true
    }

    /// Deletes a file, as an accident would.
    pub fn lose_file(&self, name: &str) {
        let mut state = self.state.lock();
        state.names.remove(name);
        state.durable_names.remove(name);
    }

    /// The bytes of a file; none if there is no such file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let file = state.files.get(state.names.get(name)?)?;
        let mut bytes = vec![0; file.bytes as usize];
        file.seen.read(0, &mut bytes);
        Some(bytes)
    }
}

impl State {
    fn crash(&mut self, seed: u64) {
        let mut choices = Choices(seed);
        // Sometimes nothing survives, sometimes everything, mostly some.
        let survive_percent = [0, 50, 100, 90, 10][(choices.next() % 5) as usize];
        let mut survives = move || choices.next() % 100 < survive_percent;
        let kept = self.pending_names.iter().take_while(|_| survives()).count();
        for change in self.pending_names.drain(..).take(kept) {
            apply(&mut self.durable_names, &change);
        }
        self.names = self.durable_names.clone();
        let named: HashSet<u64> = self.names.values().copied().collect();
        self.files.retain(|id, _| named.contains(id));
        let mut ids: Vec<u64> = named.into_iter().collect();
        ids.sort_unstable();
        for id in ids {
            let Some(file) = self.files.get_mut(&id) else {
                continue;
            };
            for (offset, bytes) in std::mem::take(&mut file.unflushed) {
                for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if survives() {
                        file.durable
                            .write(offset + (index * SECTOR_BYTES) as u64, sector);
                    }
                }
            }
            file.seen = file.durable.clone();
        }
        self.open.clear();
        self.life += 1;
        self.faults = Faults::default();
    }

    /// Counts an operation; fails if it is to fail.
    fn count(&mut self, fail: impl FnOnce(&Faults) -> bool) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        if self.faults.crash_at.is_some_and(|at| number >= at) {
            return Err(io::Error::other("simulated: the machine is gone"));
        }
        if self.faults.fail_at.contains(&number) || fail(&self.faults) {
            return Err(io::Error::other(format!(
                "simulated: operation {number} fails"
            )));
        }
        Ok(())
    }

    fn file(&mut self, id: FileId) -> io::Result<&mut File> {
        let file = self.open.get(id.0 as usize).copied().flatten();
        let file = file.and_then(|file| self.files.get_mut(&file));
        file.ok_or_else(|| io::Error::other("simulated: the file is not open"))
    }

    /// Whether everything fails, because process or machine are gone.
    fn is_gone(&self) -> bool {
        let last = self.operations.saturating_sub(1);
        self.faults.crash_at.is_some_and(|at| last >= at)
    }

    fn is_unreadable(&self, id: FileId, range: Range<u64>) -> bool {
        let Some((name, bad)) = &self.faults.unreadable else {
            return false;
        };
        let file = self.open.get(id.0 as usize).copied().flatten();
        file.is_some()
            && file == self.names.get(name).copied()
            && range.start < bad.end
            && bad.start < range.end
    }

    fn keep_open(&mut self, file: u64) -> FileId {
        self.open.push(Some(file));
        FileId(self.open.len() as u32 - 1)
    }

    fn change_name(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.pending_names.push(change);
    }

    fn used_bytes(&self) -> u64 {
        let file_bytes = |id| self.files.get(id).map_or(0, |file| file.bytes);
        self.names.values().map(file_bytes).sum()
    }
}

fn apply(names: &mut BTreeMap<String, u64>, change: &NameChange) {
    match change {
        NameChange::Create(name, file) => {
            names.insert(name.clone(), *file);
        }
        NameChange::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        NameChange::Delete(name) => {
            names.remove(name);
        }
    }
}

/// A [`Device`] on a [`SimulatedDisk`].
#[derive(Debug)]
struct SimulatedDevice {
    disk: SimulatedDisk,
    pools: BufferPools,
}

impl SimulatedDisk {
    /// Lets time pass, then does the operation, all at once.
    async fn operate<T>(
        &self,
        fail: impl FnOnce(&Faults) -> bool,
        operation: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let (latency, life) = {
            let state = self.state.lock();
            (state.faults.latency, state.life)
        };
        match latency {
            Some(latency) => tokio::time::sleep(latency).await,
            None => tokio::task::yield_now().await,
        }
        let mut state = self.state.lock();
        if state.life != life {
            return Err(io::Error::other("simulated: from before the restart"));
        }
        state.count(fail)?;
        operation(&mut state)
    }
}

fn no_special_fault(_: &Faults) -> bool {
    false
}

#[async_trait]
impl Device for SimulatedDevice {
    fn pools(&self) -> &BufferPools {
        &self.pools
    }

    async fn list(&self) -> io::Result<Vec<String>> {
        let list = |state: &mut State| Ok(state.names.keys().cloned().collect());
        self.disk.operate(no_special_fault, list).await
    }

    async fn open(&self, name: &str) -> io::Result<(FileId, u64)> {
        let open = |state: &mut State| {
            let file = state
                .names
                .get(name)
                .copied()
                .ok_or(io::ErrorKind::NotFound)?;
            let bytes = state.files.get(&file).map_or(0, |file| file.bytes);
            Ok((state.keep_open(file), bytes))
        };
        self.disk.operate(no_special_fault, open).await
    }

    async fn create(&self, name: &str, bytes: u64) -> io::Result<FileId> {
        let create = |state: &mut State| {
            if state.used_bytes() + bytes > state.capacity_bytes {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let file = state.next_file;
            state.next_file += 1;
            let empty = File {
                bytes,
                ..File::default()
            };
            state.files.insert(file, empty);
            state.change_name(NameChange::Create(name.to_owned(), file));
            Ok(state.keep_open(file))
        };
        self.disk.operate(|faults| faults.fail_writes, create).await
    }

    async fn close(&self, file: FileId) {
        if let Some(slot) = self.disk.state.lock().open.get_mut(file.0 as usize) {
            *slot = None;
        }
    }

    async fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let rename = |state: &mut State| {
            if !state.names.contains_key(from) {
                return Err(io::ErrorKind::NotFound.into());
            }
            state.change_name(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        };
        self.disk.operate(|faults| faults.fail_writes, rename).await
    }

    async fn delete(&self, name: &str) -> io::Result<()> {
        let delete = |state: &mut State| {
            if !state.names.contains_key(name) {
                return Err(io::ErrorKind::NotFound.into());
            }
            state.change_name(NameChange::Delete(name.to_owned()));
            Ok(())
        };
        self.disk.operate(|faults| faults.fail_writes, delete).await
    }

    async fn sync_directory(&self) -> io::Result<()> {
        let sync = |state: &mut State| {
            for change in std::mem::take(&mut state.pending_names) {
                apply(&mut state.durable_names, &change);
            }
            Ok(())
        };
        self.disk.operate(|faults| faults.fail_flushes, sync).await
    }

    async fn read_at(
        &self,
        file: FileId,
        offset: u64,
        mut buffers: Vec<Buffer>,
    ) -> io::Result<Vec<Buffer>> {
        let read = |state: &mut State| {
            let bytes: usize = buffers.iter().map(Buffer::len).sum();
            if state.is_unreadable(file, offset..offset + bytes as u64) {
                return Err(io::Error::other("simulated: a bad sector"));
            }
            let file = state.file(file)?;
            let mut at = offset;
            for buffer in &mut buffers {
                if at + buffer.len() as u64 > file.bytes {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                file.seen.read(at, buffer.as_mut());
                at += buffer.len() as u64;
            }
            Ok(())
        };
        self.disk.operate(|faults| faults.fail_reads, read).await?;
        Ok(buffers)
    }

    async fn write_at(&self, file: FileId, offset: u64, buffers: Vec<Buffer>) -> io::Result<()> {
        let write = move |state: &mut State| {
            let file = state.file(file)?;
            let mut at = offset;
            for buffer in &buffers {
                let bytes = buffer.as_ref();
                let aligned =
                    at.is_multiple_of(PAGE_BYTES as u64) && bytes.len().is_multiple_of(PAGE_BYTES);
                if !aligned || at + bytes.len() as u64 > file.bytes {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                file.seen.write(at, bytes);
                file.unflushed.push((at, bytes.to_vec()));
                at += bytes.len() as u64;
            }
            Ok(())
        };
        // In a task of its own: as on a real disk, a caller who goes away does not stop it.
        let disk = self.disk.clone();
        let slow = disk.state.lock().faults.slow_writes;
        let written = tokio::spawn(async move {
            if let Some((from, delay)) = slow
                && offset >= from
            {
                tokio::time::sleep(delay).await;
            }
            disk.operate(|faults| faults.fail_writes, write).await
        });
        written.await.map_err(io::Error::other)?
    }

    async fn flush(&self, file: FileId) -> io::Result<()> {
        let state = Arc::clone(&self.disk.state);
        let flush = |state: &mut State| {
            let file = state.file(file)?;
            for (offset, bytes) in std::mem::take(&mut file.unflushed) {
                file.durable.write(offset, &bytes);
            }
            Ok(())
        };
        let flushed = self.disk.operate(|faults| faults.fail_flushes, flush).await;
        let mut state = state.lock();
        if flushed.is_err()
            && !state.is_gone()
            && let Ok(file) = state.file(file)
        {
            // As page caches do: told once, what could not be written is taken for clean.
            file.unflushed.clear();
        }
        flushed
    }

    async fn space(&self) -> io::Result<DeviceSpace> {
        let space = |state: &mut State| {
            Ok(DeviceSpace {
                total_bytes: state.capacity_bytes,
                free_bytes: state.capacity_bytes.saturating_sub(state.used_bytes()),
            })
        };
        self.disk.operate(no_special_fault, space).await
    }
}
