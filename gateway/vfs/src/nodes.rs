//! Inodes as replies must show them.
//!
//! While a file is written here, its session has the inode. Otherwise the attribute cache has it, or the metadata
//! service. The order matters: session first, then cache; a session that ends has made the cache forget the file before it is
//! gone. An inode whose writer is another session (an earlier life of this gateway) is settled before it is
//! shown: its size may be behind what was acknowledged.

use sluice_types::{Access, FileKind, FsError, Inode, InodeId, may, owns};
use sluice_wire::meta::GetInode;

use crate::Caller;
use crate::core::Core;
use crate::file_state::SharedGuard;
use crate::file_table::FileRef;

/// How often a call starts over because what it looked at changed under it, before it gives up.
pub(crate) const ATTEMPTS_MAX: u32 = 64;

/// A file with its data guarded and ready to be read and written.
pub(crate) struct Ready {
    pub(crate) file: FileRef,
    pub(crate) node: Inode,
    /// Held until the call is done.
    pub(crate) _guard: SharedGuard,
}

impl Core {
    /// An inode as replies must show it.
    pub(crate) async fn node(&self, inode: InodeId) -> Result<Inode, FsError> {
        let known = self.files.node(inode);
        match known.or_else(|| self.remembered(inode)) {
            Some(node) => Ok(node),
            None => Ok(self.ready(inode, false).await?.node),
        }
    }

    /// A regular file, its data guarded, with nothing left to be done before it is read or written.
    pub(crate) async fn ready_file(&self, inode: InodeId) -> Result<Ready, FsError> {
        let ready = self.ready(inode, true).await?;
        match ready.node.attributes.kind {
            FileKind::Regular => Ok(ready),
            FileKind::Directory => Err(FsError::IsDirectory),
            _ => Err(FsError::Invalid),
        }
    }

    async fn ready(&self, inode: InodeId, for_data: bool) -> Result<Ready, FsError> {
        for _ in 0..ATTEMPTS_MAX {
            let file = self.files.acquire(inode);
            let guard = file.share().await;
            if file.is_removed() {
                return Err(FsError::Stale);
            }
            let node = match file.node() {
                Some(node) => node,
                None => self.read_node(inode).await?,
            };
            let writer_lost = node.writer.raw() != 0 && !file.has_session();
            let overhang = file.with_session(|session| session.has_overhang());
            let uncut = for_data && (node.pending_trim.is_some() || overhang == Some(true));
            if !writer_lost && !uncut && !file.is_doubtful() {
                let _guard = guard;
                return Ok(Ready { file, node, _guard });
            }
            drop(guard);
            self.settle(&file).await?;
        }
        Err(FsError::Busy)
    }

    /// An inode of a file that is not written here, from the cache or the metadata service.
    async fn read_node(&self, inode: InodeId) -> Result<Inode, FsError> {
        if let Some(node) = self.remembered(inode) {
            return Ok(node);
        }
        let ticket = self.attributes.ticket(&inode);
        let context = Self::leasing(self.as_gateway());
        let node = self.ask(&context, GetInode { inode }).await?;
        if node.writer.raw() == 0 && node.pending_trim.is_none() {
            self.attributes.insert(ticket, &inode, node.clone());
        }
        Ok(node)
    }

    /// An inode as the metadata service has it now.
    pub(crate) async fn ask_node(&self, inode: InodeId) -> Result<Inode, FsError> {
        self.ask(&self.as_gateway(), GetInode { inode }).await
    }

    /// An inode that came with an operation's outcome, as replies must show it.
    pub(crate) async fn shown(&self, node: Inode) -> Result<Inode, FsError> {
        match self.as_written(&node) {
            Some(written) => Ok(written),
            None if node.writer.raw() != 0 => self.node(node.id).await,
            None => Ok(node),
        }
    }

    /// Has the session of a file that is being written here, if it is, take over what a change made of its inode.
    pub(crate) fn note_changed(&self, node: &Inode) {
        let _ = self.as_written(node);
    }

    /// An inode of the metadata service as the session of the file has it, if it is being written here.
    fn as_written(&self, node: &Inode) -> Option<Inode> {
        let attributes = &node.attributes;
        if attributes.kind != FileKind::Regular || attributes.link_count == 0 {
            return None;
        }
        let file = self.files.find(node.id)?;
        file.with_session(|session| session.merge(node));
        file.node()
    }

    /// The same, where an inode may be left out: `None` if it would have to be asked for.
    pub(crate) fn shown_if_known(&self, node: Inode) -> Option<Inode> {
        if node.attributes.kind != FileKind::Regular {
            return Some(node);
        }
        match self.files.node(node.id) {
            Some(node) => Some(node),
            None => (node.writer.raw() == 0).then_some(node),
        }
    }
}

/// Checks that the caller may read a file's data. Who may execute it may read it, because clients read what they
/// execute; and its owner may, whatever the mode, because clients check at open only (RFC 1813 4.4).
pub(crate) fn check_may_read(node: &Inode, caller: &Caller) -> Result<(), FsError> {
    let attributes = &node.attributes;
    let credentials = &caller.credentials;
    let granted = owns(attributes, credentials)
        || may(attributes, credentials, Access::READ)
        || may(attributes, credentials, Access::EXECUTE);
    granted.then_some(()).ok_or(FsError::AccessDenied)
}

/// Checks that the caller may write a file's data; its owner may, whatever the mode (RFC 1813 4.4).
pub(crate) fn check_may_write(node: &Inode, caller: &Caller) -> Result<(), FsError> {
    let attributes = &node.attributes;
    let credentials = &caller.credentials;
    let granted = owns(attributes, credentials) || may(attributes, credentials, Access::WRITE);
    granted.then_some(()).ok_or(FsError::AccessDenied)
}
