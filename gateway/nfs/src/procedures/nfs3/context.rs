//! What procedures do in common: handles to inodes, callers, attributes, and what goes with a failure.

use bytes::Bytes;
use sluice_proto_nfs::nfs3::{Created, Failed, FileHandle, WccData, fattr3, nfsstat3};
use sluice_proto_nfs::xdr::{Encode, Encoder};
use sluice_types::{Attributes, Credentials, FileName, FsError, Inode, InodeId, WccAttributes};
use sluice_vfs::{Caller, Export};
use sluice_wire::meta::{DirectoryChange, Made};

use crate::attributes::{before_on_wire, on_wire};
use crate::call::Call;
use crate::engine::Engine;
use crate::files::FileService;
use crate::handle::{HandleContents, HandleFault};
use crate::reply::Reply;
use crate::status::nfs_status;

/// A call of NFSv3, and all it needs.
pub(super) struct NfsCall<'a> {
    pub(super) engine: &'a Engine,
    pub(super) call: &'a Call,
}

/// What a handle in the arguments led to.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) inode: InodeId,
    pub(super) export: &'a Export,
    pub(super) caller: Caller,
}

impl<'a> NfsCall<'a> {
    pub(super) fn files(&self) -> &'a dyn FileService {
        &*self.engine.files
    }

    /// What a handle leads to, for a call that may be done twice.
    ///
    /// # Errors
    ///
    /// NFS3ERR_BADHANDLE for a forged handle, NFS3ERR_STALE for one of another file system or of an export that is no
    /// more, NFS3ERR_ACCES for an export that the client may not use.
    pub(super) fn open(&self, handle: &FileHandle) -> Result<Opened<'a>, nfsstat3> {
        let contents = self
            .engine
            .handles
            .read(handle)
            .map_err(|fault| match fault {
                HandleFault::Forged => nfsstat3::NFS3ERR_BADHANDLE,
                HandleFault::Foreign => nfsstat3::NFS3ERR_STALE,
            })?;
        let export = self
            .engine
            .exports
            .by_id(contents.export)
            .ok_or(nfsstat3::NFS3ERR_STALE)?;
        if !self.call.may_use(export) {
            return Err(nfsstat3::NFS3ERR_ACCES);
        }
        let mut caller = Caller::new(self.credentials(export));
        caller.read_only = export.read_only;
        caller.session = self.call.session;
        Ok(Opened {
            inode: contents.inode,
            export,
            caller,
        })
    }

    /// The same for a call that must not be done twice (promise 3).
    pub(super) fn open_once(&self, handle: &FileHandle) -> Result<Opened<'a>, nfsstat3> {
        let mut opened = self.open(handle)?;
        opened.caller.call = Some(self.call.id());
        Ok(opened)
    }

    fn credentials(&self, export: &Export) -> Credentials {
        match &self.call.identity {
            Some((_, credentials)) => export.squash(credentials.clone()),
            None => Credentials::new(export.anonymous_uid, export.anonymous_gid),
        }
    }

    /// Whether a directory is the root of the export that it was reached through.
    pub(super) async fn is_export_root(&self, directory: &Opened<'_>) -> Result<bool, FsError> {
        let engine = self.engine;
        engine
            .is_export_root(directory.export, directory.inode)
            .await
    }

    /// The handle of an inode, through the export by which the call came.
    pub(super) fn handle(&self, export: &Export, node: &Inode) -> FileHandle {
        self.engine.handles.make(HandleContents {
            export: export.id,
            inode: node.id,
            generation: node.generation,
        })
    }

    /// An inode's attributes.
    pub(super) fn attributes(&self, node: &Inode) -> fattr3 {
        self.attributes_of(node.id, &node.attributes)
    }

    /// Attributes of the inode of that number.
    pub(super) fn attributes_of(&self, inode: InodeId, attributes: &Attributes) -> fattr3 {
        on_wire(self.engine.file_system, inode, attributes)
    }

    /// An inode before and after.
    pub(super) fn wcc(&self, before: &WccAttributes, after: &Inode) -> WccData {
        WccData {
            before: Some(before_on_wire(before)),
            after: Some(self.attributes(after)),
        }
    }

    /// A directory before and after.
    pub(super) fn directory_wcc(&self, directory: InodeId, change: &DirectoryChange) -> WccData {
        WccData {
            before: Some(before_on_wire(&change.before)),
            after: Some(self.attributes_of(directory, &change.after)),
        }
    }

    /// What procedures that create yield.
    pub(super) fn created(&self, directory: &Opened<'_>, made: &Made) -> Created {
        Created {
            object: Some(self.handle(directory.export, &made.node)),
            attributes: self.made_attributes(made),
            directory_wcc: self.directory_wcc(directory.inode, &made.directory),
        }
    }

    /// Attributes of what a name was made for; of a file that is being written none, since the outcome does not say how
    /// far. Nothing is asked for them: the call may come again, and must be answered with the same bytes.
    pub(super) fn made_attributes(&self, made: &Made) -> Option<fattr3> {
        made.settled_node().map(|node| self.attributes(node))
    }

    /// A failure of a call that must not be done twice. It goes without attributes, as RFC 1813 2.6 allows: those of now would be
    /// others when the call comes again, and is answered with the recorded failure.
    pub(super) fn refused<B: Default>(&self, error: FsError) -> Failed<B> {
        Failed {
            status: nfs_status(error),
            body: B::default(),
        }
    }

    /// Attributes to go with a failure: as they are now, if they can be had.
    pub(super) async fn attributes_after(
        &self,
        opened: &Opened<'_>,
        error: FsError,
    ) -> Option<fattr3> {
        // Asking again what is gone or cannot be reached would only take the client's time.
        if error.is_transient() || error == FsError::Stale {
            return None;
        }
        let node = self
            .files()
            .get_node(&opened.caller, opened.inode)
            .await
            .ok()?;
        Some(self.attributes(&node))
    }

    /// A failure with attributes.
    pub(super) async fn failed(
        &self,
        opened: &Opened<'_>,
        error: FsError,
    ) -> Failed<Option<fattr3>> {
        Failed {
            status: nfs_status(error),
            body: self.attributes_after(opened, error).await,
        }
    }

    /// A failure with the "after" of weak cache consistency; nothing was changed, but "before" was not looked at.
    pub(super) async fn failed_wcc(&self, opened: &Opened<'_>, error: FsError) -> Failed<WccData> {
        let after = self.attributes_after(opened, error).await;
        Failed {
            status: nfs_status(error),
            body: WccData {
                before: None,
                after,
            },
        }
    }

    /// An encoder that stands where the results of a successful call go.
    pub(super) fn begin_ok(&self) -> Encoder {
        let mut encoder = Reply::begin(self.call.xid);
        nfsstat3::NFS3_OK.encode(&mut encoder);
        encoder
    }
}

/// The name of an entry. It is copied, so that whoever keeps it does not keep the whole record.
///
/// # Errors
///
/// [`FsError::NameTooLong`]; [`FsError::Invalid`] for names that no entry can have.
pub(super) fn entry_name(name: &[u8]) -> Result<FileName, FsError> {
    FileName::new(Bytes::copy_from_slice(name))
}

/// The name of an entry to be made: `.` and `..` are there already.
///
/// # Errors
///
/// Those of [`entry_name`], and [`FsError::Exists`].
pub(super) fn new_entry_name(name: &[u8]) -> Result<FileName, FsError> {
    match name {
        b"." | b".." => Err(FsError::Exists),
        name => entry_name(name),
    }
}
