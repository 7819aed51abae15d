//! A file service in memory: no permissions, no durability; enough to see what the engine asks and answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use sluice_gateway_nfs::FileService;
use sluice_types::{
    Access, Cookie, FileKind, FileName, FsError, Inode, InodeId, Payload, SetAttributes, Stability,
    Timestamp, WriteVerifier,
};
use sluice_vfs::{Caller, CommitDone, ReadDone, SpaceStatus, WriteDone};
use sluice_wire::meta::{
    AccessChecked, CancelLock, Changed, CreateHow, DirectoryEntry, FreeLocks, HeldLock, Listing,
    Lock, LockAnswer, LockGrantEnd, LockGrants, Looked, LookupName, Made, NodeKind, Removed,
    Renamed, Share, SymlinkRead, TestLock, Unlock, Unshare,
};
use tokio::sync::Semaphore;

use super::locks::FakeLocks;
use super::tree::State;

/// Reads and writes here wait until the test lets them go, and are then at the file's start.
pub const GATED_OFFSET: u64 = 1 << 40;
/// Removing this name waits, too.
pub const GATED_NAME: &str = "gated";

type Outcome<T> = Result<T, FsError>;

pub struct MemoryFiles {
    state: Mutex<State>,
    /// Each caller, in order.
    pub callers: Mutex<Vec<Caller>>,
    /// Gated calls that began.
    pub gated: AtomicUsize,
    gate: Semaphore,
    /// What every call fails with.
    pub failure: Mutex<Option<FsError>>,
    /// What is asked of locks, and answered.
    pub locks: FakeLocks,
}

impl MemoryFiles {
    pub fn new() -> Self {
        let mut state = State {
            nodes: BTreeMap::new(),
            next: 1,
            ticks: 0,
        };
        state.add(FileKind::Directory, InodeId::ROOT);
        Self {
            state: Mutex::new(state),
            callers: Mutex::default(),
            gated: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            failure: Mutex::new(None),
            locks: FakeLocks::default(),
        }
    }

    /// Lets gated calls go.
    pub fn open_gate(&self, calls: usize) {
        self.gate.add_permits(calls);
    }

    pub fn gated(&self) -> usize {
        self.gated.load(Ordering::SeqCst)
    }

    async fn pass_gate(&self) {
        self.gated.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
    }

    fn enter(&self, caller: &Caller) -> Outcome<parking_lot::MutexGuard<'_, State>> {
        self.callers.lock().push(caller.clone());
        match *self.failure.lock() {
            Some(error) => Err(error),
            None => Ok(self.state.lock()),
        }
    }

    fn enter_to_change(&self, caller: &Caller) -> Outcome<parking_lot::MutexGuard<'_, State>> {
        let state = self.enter(caller)?;
        if caller.read_only {
            return Err(FsError::ReadOnly);
        }
        Ok(state)
    }
}

const VERIFIER: WriteVerifier = WriteVerifier(*b"verifier");

#[async_trait]
impl FileService for MemoryFiles {
    async fn get_node(&self, caller: &Caller, inode: InodeId) -> Outcome<Inode> {
        self.enter(caller)?.inode(inode)
    }

    async fn lookup(
        &self,
        caller: &Caller,
        directory: InodeId,
        entry: LookupName,
    ) -> Outcome<Looked> {
        let mut state = self.enter(caller)?;
        let id = match entry {
            LookupName::Name(name) => state.find(directory, &name)?.1,
            LookupName::Current => directory,
            LookupName::Parent => state.inode(directory)?.parent,
        };
        Ok(Looked {
            node: state.inode(id)?,
            directory: state.inode(directory)?.attributes,
        })
    }

    async fn access(&self, caller: &Caller, inode: InodeId) -> Outcome<AccessChecked> {
        Ok(AccessChecked {
            granted: Access::ALL,
            node: self.enter(caller)?.inode(inode)?,
        })
    }

    async fn set_attributes(
        &self,
        caller: &Caller,
        inode: InodeId,
        changes: SetAttributes,
        guard: Option<Timestamp>,
    ) -> Outcome<Changed> {
        let mut state = self.enter_to_change(caller)?;
        let changed = state.inode(inode)?.attributes.changed;
        if guard.is_some_and(|guard| guard != changed) {
            return Err(FsError::GuardMismatch);
        }
        Ok(Changed {
            before: state.set(inode, &changes)?,
            after: state.inode(inode)?,
        })
    }

    async fn read_symlink(&self, caller: &Caller, inode: InodeId) -> Outcome<SymlinkRead> {
        let mut state = self.enter(caller)?;
        let node = state.node(inode)?;
        if node.inode.attributes.kind != FileKind::Symlink {
            return Err(FsError::Invalid);
        }
        Ok(SymlinkRead {
            target: node.target.clone(),
            node: node.inode.clone(),
        })
    }

    async fn read(
        &self,
        caller: &Caller,
        inode: InodeId,
        mut offset: u64,
        length: u32,
    ) -> Outcome<ReadDone> {
        if offset == GATED_OFFSET {
            self.pass_gate().await;
            offset = 0;
        }
        let mut state = self.enter(caller)?;
        let node = state.node(inode)?;
        let from = node.data.len().min(offset as usize);
        let to = node.data.len().min(from + length as usize);
        let mut payload = Payload::new();
        for piece in node.data[from..to].chunks(300_000) {
            payload.push(Bytes::copy_from_slice(piece));
        }
        Ok(ReadDone {
            payload,
            end_of_file: to == node.data.len(),
            node: node.inode.clone(),
        })
    }

    async fn write(
        &self,
        caller: &Caller,
        inode: InodeId,
        mut offset: u64,
        payload: Payload,
        stability: Stability,
    ) -> Outcome<WriteDone> {
        if offset == GATED_OFFSET {
            self.pass_gate().await;
            offset = 0;
        }
        let mut state = self.enter_to_change(caller)?;
        let now = state.now();
        let node = state.node(inode)?;
        let before = node.inode.attributes.wcc();
        let end = offset as usize + payload.len();
        if node.data.len() < end {
            node.data.resize(end, 0);
        }
        payload.copy_to(&mut node.data[offset as usize..end]);
        node.inode.attributes.size_bytes = node.data.len() as u64;
        node.inode.attributes.modified = now;
        node.inode.attributes.changed = now;
        Ok(WriteDone {
            written: payload.len() as u32,
            stability,
            verifier: VERIFIER,
            before,
            after: node.inode.clone(),
        })
    }

    async fn commit(
        &self,
        caller: &Caller,
        inode: InodeId,
        _offset: u64,
        _length: u32,
    ) -> Outcome<CommitDone> {
        let after = self.enter(caller)?.inode(inode)?;
        Ok(CommitDone {
            verifier: VERIFIER,
            before: after.attributes.wcc(),
            after,
        })
    }

    async fn create(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        how: CreateHow,
    ) -> Outcome<Made> {
        let mut state = self.enter_to_change(caller)?;
        let set = match how {
            CreateHow::Unchecked(set) | CreateHow::Guarded(set) => set,
            CreateHow::Exclusive(_) => SetAttributes::default(),
        };
        state.make(directory, name, FileKind::Regular, &set)
    }

    async fn make_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
    ) -> Outcome<Made> {
        self.enter_to_change(caller)?
            .make(directory, name, FileKind::Directory, &attributes)
    }

    async fn make_symlink(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
        target: Bytes,
    ) -> Outcome<Made> {
        let mut state = self.enter_to_change(caller)?;
        let made = state.make(directory, name, FileKind::Symlink, &attributes)?;
        state.node(made.node.id)?.target = target;
        Ok(made)
    }

    async fn make_node(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
        node: NodeKind,
    ) -> Outcome<Made> {
        let kind = match node {
            NodeKind::Fifo => FileKind::Fifo,
            NodeKind::Socket => FileKind::Socket,
            NodeKind::BlockDevice(_) => FileKind::BlockDevice,
            NodeKind::CharacterDevice(_) => FileKind::CharacterDevice,
        };
        let mut state = self.enter_to_change(caller)?;
        let mut made = state.make(directory, name, kind, &attributes)?;
        if let NodeKind::BlockDevice(device) | NodeKind::CharacterDevice(device) = node {
            state.node(made.node.id)?.inode.attributes.device = device;
            made.node = state.inode(made.node.id)?;
        }
        Ok(made)
    }

    async fn link(
        &self,
        caller: &Caller,
        inode: InodeId,
        directory: InodeId,
        name: FileName,
    ) -> Outcome<Made> {
        let mut state = self.enter_to_change(caller)?;
        if state.find(directory, &name).is_ok() {
            return Err(FsError::Exists);
        }
        state.node(inode)?.inode.attributes.link_count += 1;
        let cookie = 1_000_000 + state.next;
        state.next += 1;
        let directory = state.change(directory, |entries| {
            entries.insert(cookie, (name, inode));
        })?;
        Ok(Made {
            node: state.inode(inode)?,
            directory,
            existed: true,
        })
    }

    async fn remove(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
    ) -> Outcome<Removed> {
        if name.as_bytes() == GATED_NAME.as_bytes() {
            self.pass_gate().await;
        }
        self.enter_to_change(caller)?.remove(directory, &name)
    }

    async fn remove_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
    ) -> Outcome<Removed> {
        let mut state = self.enter_to_change(caller)?;
        let (_, id) = state.find(directory, &name)?;
        if !state.node(id)?.entries.is_empty() {
            return Err(FsError::NotEmpty);
        }
        state.remove(directory, &name)
    }

    async fn rename(
        &self,
        caller: &Caller,
        from_directory: InodeId,
        from_name: FileName,
        to_directory: InodeId,
        to_name: FileName,
    ) -> Outcome<Renamed> {
        let mut state = self.enter_to_change(caller)?;
        let (cookie, id) = state.find(from_directory, &from_name)?;
        let replaced = state
            .remove(to_directory, &to_name)
            .ok()
            .map(|removed| removed.node);
        let from = state.change(from_directory, |entries| {
            entries.remove(&cookie);
        })?;
        let to = state.change(to_directory, |entries| {
            entries.insert(cookie, (to_name, id));
        })?;
        Ok(Renamed {
            from,
            to,
            node: state.inode(id)?,
            replaced,
        })
    }

    async fn read_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        after: Cookie,
        entries_max: u32,
        with_nodes: bool,
    ) -> Outcome<Listing> {
        let mut state = self.enter(caller)?;
        let node = state.node(directory)?;
        if node.inode.attributes.kind != FileKind::Directory {
            return Err(FsError::NotDirectory);
        }
        let found: Vec<_> = node
            .entries
            .range(after.raw() + 1..)
            .map(|(cookie, entry)| (*cookie, entry.clone()))
            .collect();
        // A few at a time, so that pages take several questions.
        let count = found.len().min(entries_max as usize).min(7);
        let mut entries = Vec::new();
        for (cookie, (name, inode)) in found[..count].iter().cloned() {
            let node = if with_nodes {
                Some(state.inode(inode)?)
            } else {
                None
            };
            let cookie = Cookie::new(cookie);
            entries.push(DirectoryEntry {
                name,
                inode,
                cookie,
                node,
            });
        }
        Ok(Listing {
            entries,
            end: count == found.len(),
            directory: state.inode(directory)?,
        })
    }

    async fn file_system_status(&self, caller: &Caller) -> Outcome<SpaceStatus> {
        let state = self.enter(caller)?;
        Ok(SpaceStatus {
            total_bytes: 1000,
            free_bytes: 900,
            available_bytes: 800,
            inodes_total: 70,
            inodes_free: 60,
            inodes_available: 70 - state.nodes.len() as u64,
        })
    }

    async fn resolve(&self, caller: &Caller, path: &[u8]) -> Outcome<Inode> {
        let mut state = self.enter(caller)?;
        let mut id = InodeId::ROOT;
        for part in path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
        {
            let name = FileName::new(Bytes::copy_from_slice(part))?;
            id = state.find(id, &name)?.1;
        }
        state.inode(id)
    }

    async fn lock(&self, caller: &Caller, lock: Lock) -> Outcome<LockAnswer> {
        drop(self.enter(caller)?);
        self.locks.ask(lock)
    }

    async fn unlock(&self, caller: &Caller, unlock: Unlock) -> Outcome<LockAnswer> {
        drop(self.enter(caller)?);
        self.locks.ask(unlock)
    }

    async fn test_lock(&self, caller: &Caller, test: TestLock) -> Outcome<Option<HeldLock>> {
        drop(self.enter(caller)?);
        self.locks.ask(test)?;
        Ok(self.locks.holder.lock().clone())
    }

    async fn cancel_lock(&self, caller: &Caller, cancel: CancelLock) -> Outcome<bool> {
        drop(self.enter(caller)?);
        Ok(self.locks.ask(cancel)? == LockAnswer::Granted)
    }

    async fn share(&self, caller: &Caller, share: Share) -> Outcome<LockAnswer> {
        drop(self.enter(caller)?);
        self.locks.ask(share)
    }

    async fn unshare(&self, caller: &Caller, unshare: Unshare) -> Outcome<LockAnswer> {
        drop(self.enter(caller)?);
        self.locks.ask(unshare)
    }

    async fn free_locks(&self, caller: &Caller, free: FreeLocks) -> Outcome<u64> {
        drop(self.enter(caller)?);
        self.locks.ask(free).map(|_| 1)
    }

    async fn await_lock_grants(
        &self,
        _caller: &Caller,
        ended: Vec<LockGrantEnd>,
    ) -> Outcome<LockGrants> {
        Ok(self.locks.await_grants(ended).await)
    }
}
