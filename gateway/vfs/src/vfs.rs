//! The file service as protocol engines call it.
//!
//! Calls that change something run to their end once they have begun, even if the caller's future is dropped: so no
//! change is applied after what guards it was given up.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use sluice_cache::BlockCache;
use sluice_types::{
    Clock, Cookie, FileName, FileSystemId, FsError, Inode, InodeId, Payload, SessionId,
    SetAttributes, Stability, Timestamp,
};
use sluice_wire::meta::{
    AccessChecked, Changed, CreateHow, Listing, Looked, LookupName, Made, NodeKind, Removed,
    Renamed, SymlinkRead,
};

use crate::backend::Backend;
use crate::core::Core;
use crate::leases::LeaseKeeper;
use crate::sweeper::Sweeper;
use crate::{Caller, CommitDone, ReadDone, SpaceStatus, VfsConfig, WriteDone};

/// Carries out an operation of [`Core`] to its end, also when nobody waits for it any more.
macro_rules! detached {
    ($vfs:ident.$operation:ident($caller:ident, $($argument:ident),*)) => {{
        let (core, caller) = ($vfs.core($caller)?, $caller.clone());
        Core::detached(async move { core.$operation(&caller, $($argument),*).await }).await
    }};
}

/// A file system, protocol neutral. Attributes in all outcomes show every write acknowledged so far, save those of the inode
/// that a name was made for or moved to while it is being written (see [`Made::settled_node`]).
///
/// A change with a [`Caller::call`] is made once, however often and through whichever gateway it comes, and has the same outcome
/// each time.
///
/// All operations give [`FsError::Unavailable`], [`FsError::Busy`] or another transient error when the cluster
/// cannot answer in time; the call may then be sent again.
pub struct Vfs {
    /// Of the present session.
    life: RwLock<Life>,
    cache: Arc<BlockCache>,
    config: VfsConfig,
    clock: Arc<dyn Clock>,
    file_system: FileSystemId,
}

/// One session's life.
struct Life {
    core: Arc<Core>,
    sweeper: Option<Sweeper>,
    _leases: LeaseKeeper,
}

impl Life {
    fn begin(core: Arc<Core>) -> Self {
        Self {
            sweeper: Some(Sweeper::start(&core)),
            _leases: LeaseKeeper::start(&core),
            core,
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.stop_soon();
        }
    }
}

impl fmt::Debug for Vfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vfs")
            .field("file_system", &self.file_system)
            .finish_non_exhaustive()
    }
}

impl Vfs {
    /// Opens the file system of a cluster. `backend` is a `sluice_client::Client` that has its session and the
    /// cluster map. Must be called within a tokio runtime, which the background work then runs on.
    ///
    /// # Errors
    /// If the metadata service cannot be reached, or has no root directory.
    pub async fn open(
        backend: Arc<dyn Backend>,
        cache: Arc<BlockCache>,
        config: VfsConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, FsError> {
        let core = Core::new(
            backend,
            Arc::clone(&cache),
            config.clone(),
            Arc::clone(&clock),
        );
        core.node(InodeId::ROOT).await?;
        Ok(Arc::new(Self {
            file_system: core.file_system,
            life: RwLock::new(Life::begin(Arc::new(core))),
            cache,
            config,
            clock,
        }))
    }

    /// Goes on in another session's name, after the one so far has ended: files being written and what was remembered under
    /// leases go with that. Calls of callers who came under it are refused.
    ///
    /// # Errors
    /// [`FsError::Stale`] if the backend is of another file system.
    pub fn go_on(&self, backend: Arc<dyn Backend>) -> Result<(), FsError> {
        if backend.map().file_system != self.file_system {
            return Err(FsError::Stale);
        }
        let (cache, clock) = (Arc::clone(&self.cache), Arc::clone(&self.clock));
        let core = Core::new(backend, cache, self.config.clone(), clock);
        // The old one ends outside of the lock.
        let _old = std::mem::replace(&mut *self.life.write(), Life::begin(Arc::new(core)));
        Ok(())
    }

    /// The session in whose name callers are served; `None` after one has ended and before [`Vfs::go_on`].
    pub fn session(&self) -> Option<SessionId> {
        let life = self.life.read();
        let backend = &life.core.backend;
        (!backend.has_session_ended()).then(|| backend.session())
    }

    /// What serves a caller: [`FsError::SessionLapsed`] if the caller came under a session that has ended.
    pub(crate) fn core(&self, caller: &Caller) -> Result<Arc<Core>, FsError> {
        let life = self.life.read();
        let session = caller.session.unwrap_or(life.core.backend.session());
        if session != life.core.backend.session() {
            return Err(FsError::SessionLapsed);
        }
        Ok(Arc::clone(&life.core))
    }

    /// Which file system this is.
    pub fn file_system(&self) -> FileSystemId {
        self.file_system
    }

    /// An inode.
    ///
    /// # Errors
    /// [`FsError::Stale`] if it is gone.
    pub async fn get_node(&self, caller: &Caller, inode: InodeId) -> Result<Inode, FsError> {
        self.core(caller)?.node(inode).await
    }

    /// What a name in a directory leads to.
    ///
    /// # Errors
    /// [`FsError::NotFound`], [`FsError::NotDirectory`], [`FsError::AccessDenied`], [`FsError::Stale`].
    pub async fn lookup(
        &self,
        caller: &Caller,
        directory: InodeId,
        entry: LookupName,
    ) -> Result<Looked, FsError> {
        self.core(caller)?.lookup(caller, directory, entry).await
    }

    /// What the caller may do with an inode.
    ///
    /// # Errors
    /// [`FsError::Stale`].
    pub async fn access(&self, caller: &Caller, inode: InodeId) -> Result<AccessChecked, FsError> {
        self.core(caller)?.access(caller, inode).await
    }

    /// Changes attributes. A truncation is done on storage when this returns.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::SetInode`]; [`FsError::GuardMismatch`], [`FsError::ReadOnly`].
    pub async fn set_attributes(
        &self,
        caller: &Caller,
        inode: InodeId,
        changes: SetAttributes,
        guard: Option<Timestamp>,
    ) -> Result<Changed, FsError> {
        detached!(self.set_attributes(caller, inode, changes, guard))
    }

    /// What a symbolic link points to.
    ///
    /// # Errors
    /// [`FsError::Invalid`] if it is none.
    pub async fn read_symlink(
        &self,
        caller: &Caller,
        inode: InodeId,
    ) -> Result<SymlinkRead, FsError> {
        self.core(caller)?.read_symlink(caller, inode).await
    }

    /// Reads from a file: all that was asked for, up to the end of the file.
    ///
    /// # Errors
    /// [`FsError::AccessDenied`]; [`FsError::IsDirectory`]; [`FsError::Invalid`] for other kinds.
    pub async fn read(
        &self,
        caller: &Caller,
        inode: InodeId,
        offset: u64,
        length: u32,
    ) -> Result<ReadDone, FsError> {
        self.core(caller)?.read(caller, inode, offset, length).await
    }

    /// Writes to a file: all of `payload`.
    ///
    /// # Errors
    /// As for [`Vfs::read`]; [`FsError::ReadOnly`], [`FsError::NoSpace`], [`FsError::FileTooLarge`]. Part of the data may
    /// have been written then.
    pub async fn write(
        &self,
        caller: &Caller,
        inode: InodeId,
        offset: u64,
        payload: Payload,
        stability: Stability,
    ) -> Result<WriteDone, FsError> {
        detached!(self.write(caller, inode, offset, payload, stability))
    }

    /// Makes unstable data of a file durable, in the given range (`length` 0: to the end) at least.
    ///
    /// # Errors
    /// As for [`Vfs::write`].
    pub async fn commit(
        &self,
        caller: &Caller,
        inode: InodeId,
        offset: u64,
        length: u32,
    ) -> Result<CommitDone, FsError> {
        detached!(self.commit(caller, inode, offset, length))
    }

    /// Makes a regular file.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::Create`]; [`FsError::ReadOnly`].
    pub async fn create(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        how: CreateHow,
    ) -> Result<Made, FsError> {
        detached!(self.create(caller, directory, name, how))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::MakeDirectory`]; [`FsError::ReadOnly`].
    pub async fn make_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
    ) -> Result<Made, FsError> {
        detached!(self.make_directory(caller, directory, name, attributes))
    }

    /// Makes a symbolic link to `target`.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::MakeSymlink`]; [`FsError::ReadOnly`].
    pub async fn make_symlink(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
        target: Bytes,
    ) -> Result<Made, FsError> {
        detached!(self.make_symlink(caller, directory, name, attributes, target))
    }

    /// Makes a fifo, socket or device node.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::MakeNode`]; [`FsError::ReadOnly`].
    pub async fn make_node(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
        node: NodeKind,
    ) -> Result<Made, FsError> {
        detached!(self.make_node(caller, directory, name, attributes, node))
    }

    /// Gives `inode` the name `name` in `directory` too.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::Link`]; [`FsError::ReadOnly`].
    pub async fn link(
        &self,
        caller: &Caller,
        inode: InodeId,
        directory: InodeId,
        name: FileName,
    ) -> Result<Made, FsError> {
        detached!(self.link(caller, inode, directory, name))
    }

    /// Removes a name that is not a directory's.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::Remove`]; [`FsError::ReadOnly`].
    pub async fn remove(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
    ) -> Result<Removed, FsError> {
        detached!(self.remove(caller, directory, name))
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::RemoveDirectory`]; [`FsError::ReadOnly`].
    pub async fn remove_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
    ) -> Result<Removed, FsError> {
        detached!(self.remove_directory(caller, directory, name))
    }

    /// Moves a name, over a file or empty directory that has the new one.
    ///
    /// # Errors
    /// Those of [`sluice_wire::meta::Rename`]; [`FsError::ReadOnly`].
    pub async fn rename(
        &self,
        caller: &Caller,
        from_directory: InodeId,
        from_name: FileName,
        to_directory: InodeId,
        to_name: FileName,
    ) -> Result<Renamed, FsError> {
        detached!(self.rename(caller, from_directory, from_name, to_directory, to_name))
    }

    /// Lists entries after a cookie, without `.` and `..`. An entry's inode can be lacking although asked for, if it is
    /// not known without waiting for storage.
    ///
    /// # Errors
    /// [`FsError::NotDirectory`], [`FsError::AccessDenied`], [`FsError::Stale`].
    pub async fn read_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        after: Cookie,
        entries_max: u32,
        with_nodes: bool,
    ) -> Result<Listing, FsError> {
        self.core(caller)?
            .read_directory(caller, directory, after, entries_max, with_nodes)
            .await
    }

    /// Space and inodes of the file system, at most about a second old. A target that is in service but does not answer
    /// within [`VfsConfig::status_wait`] counts with what it answered last, up to a minute ago; one that has not
    /// answered for longer counts as nothing.
    ///
    /// # Errors
    /// [`FsError::Unavailable`] if the metadata service does not answer, or nothing is known of any target.
    pub async fn file_system_status(&self, caller: &Caller) -> Result<SpaceStatus, FsError> {
        self.core(caller)?.file_system_status().await
    }

    /// What a path from the root leads to. Symbolic links are not followed, and `..` is refused.
    ///
    /// # Errors
    /// Those of [`Vfs::lookup`]; [`FsError::NameTooLong`], [`FsError::Invalid`].
    pub async fn resolve(&self, caller: &Caller, path: &[u8]) -> Result<Inode, FsError> {
        self.core(caller)?.resolve(caller, path).await
    }

    /// Tells the metadata service the sizes and times of files being written and ends the background work. Commits nothing:
    /// storage has what is unstable, and whoever serves the clients next asks storage. Calls after this are served,
    /// but nothing works in the background for them.
    ///
    /// # Errors
    /// The first error of telling; all files were tried.
    pub async fn shutdown(&self) -> Result<(), FsError> {
        let (sweeper, core) = {
            let mut life = self.life.write();
            (life.sweeper.take(), Arc::clone(&life.core))
        };
        if let Some(sweeper) = sweeper {
            sweeper.stop().await;
        }
        Core::detached(async move { core.finish_sessions().await }).await
    }
}
