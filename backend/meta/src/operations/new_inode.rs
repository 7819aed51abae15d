//! What a new inode is like, and giving it its name.

use sluice_types::{
    Attributes, Device, FileKind, FileName, FsError, Inode, InodeId, Layout, Mode, SessionId,
    SetAttributes, SetTime,
};
use sluice_wire::meta::Made;

use super::context::{FreshInode, OperationContext};
use super::permission::{check_change_entries, check_search};
use super::times::{change_directory, chosen};
use crate::error::MetaError;
use crate::namespace::{Found, Namespace};
use crate::records::InodeRecord;

pub use sluice_types::LINK_COUNT_MAX;

/// What a directory's size is shown as; the number of its entries does not show in it.
const DIRECTORY_BYTES: u64 = 4096;

/// What a kind of inode is made with, before the caller's wishes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blank {
    pub(super) kind: FileKind,
    /// The mode if the caller gives none.
    pub(super) mode: Mode,
    pub(super) device: Device,
    pub(super) size_bytes: u64,
}

impl Blank {
    /// An empty inode of `kind`: usable by its owner alone until someone says otherwise.
    pub(super) fn new(kind: FileKind) -> Self {
        let (mode, size_bytes) = match kind {
            FileKind::Directory => (0o700, DIRECTORY_BYTES),
            FileKind::Symlink => (0o777, 0),
            _ => (0o600, 0),
        };
        Self {
            kind,
            mode: Mode::new(mode),
            device: Device::default(),
            size_bytes,
        }
    }
}

/// The directory that a name is to be added to, after the checks that come first: it can be searched. The name's
/// entry, if there is one already.
pub(super) async fn open_directory(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    directory: InodeId,
    name: &FileName,
) -> Result<(InodeRecord, Option<Found>), MetaError> {
    let directory = namespace.directory(directory).await?;
    check_search(&directory, context.credentials)?;
    let found = namespace.find_entry(directory.node.id, name).await?;
    Ok((directory, found))
}

/// Makes an inode and its name, which must not be there.
pub(super) async fn make(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    directory: InodeId,
    name: &FileName,
    blank: Blank,
    wishes: &SetAttributes,
) -> Result<Made, MetaError> {
    let (directory, found) = open_directory(namespace, context, directory, name).await?;
    if found.is_some() {
        return Err(FsError::Exists.into());
    }
    make_in(namespace, context, directory, name, blank, wishes).await
}

/// Makes an inode and its name in a directory that has no such name.
pub(super) async fn make_in(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    mut directory: InodeRecord,
    name: &FileName,
    blank: Blank,
    wishes: &SetAttributes,
) -> Result<Made, MetaError> {
    check_change_entries(&directory, context.credentials)?;
    let record = new_record(context, &directory, blank, wishes)?;
    namespace
        .insert_entry(directory.node.id, name, record.node.id)
        .await?;
    namespace.add_inode(&record);
    directory.entry_count += 1;
    if blank.kind == FileKind::Directory {
        directory.node.attributes.link_count += 1;
    }
    let change = change_directory(&mut directory, context.now);
    namespace.put_inode(&directory);
    Ok(Made {
        node: record.node,
        directory: change,
        existed: false,
    })
}

fn new_record(
    context: &OperationContext<'_>,
    directory: &InodeRecord,
    blank: Blank,
    wishes: &SetAttributes,
) -> Result<InodeRecord, MetaError> {
    let fresh = context.fresh?;
    let (uid, gid) = owner(context, directory, wishes);
    let mode = mode(context, directory, blank, wishes, gid);
    let time = |time: Option<SetTime>| chosen(time.unwrap_or(SetTime::Now), context.now);
    let attributes = Attributes {
        kind: blank.kind,
        mode,
        link_count: if blank.kind == FileKind::Directory {
            2
        } else {
            1
        },
        uid,
        gid,
        size_bytes: blank.size_bytes,
        used_bytes: 0,
        device: blank.device,
        accessed: time(wishes.accessed),
        modified: time(wishes.modified),
        changed: context.now,
    };
    let parent = match blank.kind {
        FileKind::Directory => directory.node.id,
        _ => fresh.id,
    };
    let layout = Layout {
        placement_seed: fresh.placement_seed,
        ..directory.node.layout
    };
    Ok(record(fresh, attributes, parent, layout))
}

/// The root directory of a new file system.
pub(crate) fn root_directory(
    fresh: FreshInode,
    now: sluice_types::Timestamp,
    layout: Layout,
) -> InodeRecord {
    let attributes = Attributes {
        kind: FileKind::Directory,
        mode: Mode::new(0o755),
        link_count: 2,
        uid: 0,
        gid: 0,
        size_bytes: DIRECTORY_BYTES,
        used_bytes: 0,
        device: Device::default(),
        accessed: now,
        modified: now,
        changed: now,
    };
    record(fresh, attributes, fresh.id, layout)
}

fn record(
    fresh: FreshInode,
    attributes: Attributes,
    parent: InodeId,
    layout: Layout,
) -> InodeRecord {
    InodeRecord {
        node: Inode {
            id: fresh.id,
            generation: fresh.generation,
            attributes,
            parent,
            layout,
            data_version: InodeRecord::FIRST_DATA_VERSION,
            writer: SessionId::new(0),
            pending_trim: None,
        },
        entry_count: 0,
        create_verifier: None,
    }
}

/// A new inode is its maker's, and its group the maker's or, in a set-group-id directory, the directory's. Only the
/// superuser makes one for somebody else; the wish of anyone else counts for nothing, as in Linux' NFS server.
fn owner(
    context: &OperationContext<'_>,
    directory: &InodeRecord,
    wishes: &SetAttributes,
) -> (u32, u32) {
    let credentials = context.credentials;
    let parent = &directory.node.attributes;
    let gid = if parent.mode.has(Mode::SET_GID) {
        parent.gid
    } else {
        credentials.gid
    };
    if credentials.is_root() {
        let uid = wishes.uid.unwrap_or(credentials.uid);
        return (uid, wishes.gid.unwrap_or(gid));
    }
    (credentials.uid, gid)
}

fn mode(
    context: &OperationContext<'_>,
    directory: &InodeRecord,
    blank: Blank,
    wishes: &SetAttributes,
    gid: u32,
) -> Mode {
    if blank.kind == FileKind::Symlink {
        return blank.mode;
    }
    let mut mode = wishes.mode.unwrap_or(blank.mode);
    let inherits = directory.node.attributes.mode.has(Mode::SET_GID);
    if blank.kind == FileKind::Directory {
        // Directories below a set-group-id directory are such too.
        return if inherits {
            mode.with(Mode::SET_GID)
        } else {
            mode
        };
    }
    // Nobody makes a program that runs with the rights of a group they are not in.
    let credentials = context.credentials;
    if !credentials.is_root() && !credentials.in_group(gid) {
        mode = mode.without(Mode::SET_GID);
    }
    mode
}
