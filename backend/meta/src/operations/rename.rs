//! Moves a name, over a file or an empty directory that has the new one (RFC 1813 3.3.14).

use sluice_types::{Access, FileKind, FileName, FsError, Inode, InodeId, Timestamp};
use sluice_wire::meta::{DirectoryChange, Rename, Renamed};
use smallvec::smallvec;

use super::context::OperationContext;
use super::permission::{check, check_change_entries, check_search, check_take_out};
use super::times::{change_directory, note_changed, unchanged_directory};
use super::unlink::{drop_locks, drop_name};
use crate::error::MetaError;
use crate::locks::LockSet;
use crate::namespace::{Found, Namespace};
use crate::records::InodeRecord;

pub(super) fn locks(rename: &Rename) -> LockSet {
    LockSet {
        inodes: smallvec![rename.from_directory, rename.to_directory],
        between_directories: rename.from_directory != rename.to_directory,
    }
}

/// The directories of a rename: one, or two different ones.
struct Directories {
    from: InodeRecord,
    /// `None` if it is the same.
    to: Option<InodeRecord>,
}

impl Directories {
    fn to(&self) -> &InodeRecord {
        self.to.as_ref().unwrap_or(&self.from)
    }

    fn to_mut(&mut self) -> &mut InodeRecord {
        self.to.as_mut().unwrap_or(&mut self.from)
    }
}

/// An entry and the inode that it leads to.
struct Named {
    entry: Found,
    record: InodeRecord,
}

impl Named {
    fn is_directory(&self) -> bool {
        self.record.node.attributes.kind == FileKind::Directory
    }
}

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    rename: &Rename,
) -> Result<Renamed, MetaError> {
    let directories = open(namespace, context, rename).await?;
    let from_id = directories.from.node.id;
    let source = named(namespace, from_id, &rename.from_name).await?;
    let mut source = source.ok_or(FsError::NotFound)?;
    let target = named(namespace, directories.to().node.id, &rename.to_name).await?;
    if let Some(target) = &target
        && target.record.node.id == source.record.node.id
    {
        // Two names of one file: POSIX leaves both.
        return Ok(nothing_done(&directories, source.record.node));
    }
    check_loop(namespace, &directories, &source).await?;
    check_permitted(context, &directories, &source, target.as_ref())?;
    move_entry(namespace, &directories, rename, &source, target.as_ref()).await?;
    let replaced = match target {
        Some(target) => Some(replace(namespace, context, target).await?),
        None => None,
    };
    Ok(settle(
        namespace,
        context,
        directories,
        &mut source,
        replaced,
    ))
}

async fn open(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    rename: &Rename,
) -> Result<Directories, MetaError> {
    let from = namespace.directory(rename.from_directory).await?;
    let to = if rename.to_directory == rename.from_directory {
        None
    } else {
        Some(namespace.directory(rename.to_directory).await?)
    };
    let directories = Directories { from, to };
    check_search(&directories.from, context.credentials)?;
    check_search(directories.to(), context.credentials)?;
    Ok(directories)
}

async fn named(
    namespace: &mut Namespace<'_>,
    directory: InodeId,
    name: &FileName,
) -> Result<Option<Named>, MetaError> {
    let Some(entry) = namespace.find_entry(directory, name).await? else {
        return Ok(None);
    };
    let record = namespace.entry_inode(entry.inode).await?;
    Ok(Some(Named { entry, record }))
}

fn nothing_done(directories: &Directories, node: Inode) -> Renamed {
    Renamed {
        from: unchanged_directory(&directories.from),
        to: unchanged_directory(directories.to()),
        node,
        replaced: None,
    }
}

/// A directory cannot be moved into itself or below.
async fn check_loop(
    namespace: &mut Namespace<'_>,
    directories: &Directories,
    source: &Named,
) -> Result<(), MetaError> {
    let Some(to) = &directories.to else {
        return Ok(());
    };
    if !source.is_directory() {
        return Ok(());
    }
    let mut above = to.node.clone();
    loop {
        if above.id == source.record.node.id {
            return Err(FsError::Invalid.into());
        }
        if above.parent == above.id {
            return Ok(());
        }
        above = namespace.entry_inode(above.parent).await?.node;
    }
}

fn check_permitted(
    context: &OperationContext<'_>,
    directories: &Directories,
    source: &Named,
    target: Option<&Named>,
) -> Result<(), FsError> {
    let credentials = context.credentials;
    check_take_out(&directories.from, &source.record, credentials)?;
    match target {
        None => check_change_entries(directories.to(), credentials)?,
        Some(target) => {
            check_take_out(directories.to(), &target.record, credentials)?;
            match (source.is_directory(), target.is_directory()) {
                (true, false) => return Err(FsError::NotDirectory),
                (false, true) => return Err(FsError::IsDirectory),
                _ => {}
            }
        }
    }
    if source.is_directory() && directories.to.is_some() {
        // Its `..` changes.
        check(&source.record.node.attributes, credentials, Access::WRITE)?;
    }
    match target {
        Some(target) if target.record.entry_count > 0 => Err(FsError::NotEmpty),
        _ => Ok(()),
    }
}

async fn move_entry(
    namespace: &mut Namespace<'_>,
    directories: &Directories,
    rename: &Rename,
    source: &Named,
    target: Option<&Named>,
) -> Result<(), MetaError> {
    let (from, to) = (directories.from.node.id, directories.to().node.id);
    let inode = source.record.node.id;
    namespace.remove_entry(from, source.entry.cookie).await?;
    match target {
        Some(target) => namespace.put_entry(to, target.entry.cookie, &rename.to_name, inode),
        None => {
            namespace.insert_entry(to, &rename.to_name, inode).await?;
        }
    }
    Ok(())
}

/// The inode that loses the new name to the moved one.
async fn replace(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    mut target: Named,
) -> Result<Named, MetaError> {
    drop_name(namespace, &mut target.record, context.now);
    drop_locks(namespace, context, &target.record).await?;
    Ok(target)
}

/// Counts, times and parents.
fn settle(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    mut directories: Directories,
    source: &mut Named,
    replaced: Option<Named>,
) -> Renamed {
    if source.is_directory() {
        drop_link(&mut directories.from);
        directories.to_mut().node.attributes.link_count += 1;
        source.record.node.parent = directories.to().node.id;
    }
    directories.from.entry_count = directories.from.entry_count.saturating_sub(1);
    match &replaced {
        None => directories.to_mut().entry_count += 1,
        Some(replaced) if replaced.is_directory() => drop_link(directories.to_mut()),
        Some(_) => {}
    }
    note_changed(&mut source.record.node.attributes, context.now);
    namespace.put_inode(&source.record);
    let (from, to) = stamp_directories(&mut directories, context.now);
    namespace.put_inode(&directories.from);
    if let Some(to) = &directories.to {
        namespace.put_inode(to);
    }
    Renamed {
        from,
        to,
        node: source.record.node.clone(),
        replaced: replaced.map(|replaced| replaced.record.node),
    }
}

fn drop_link(directory: &mut InodeRecord) {
    let attributes = &mut directory.node.attributes;
    attributes.link_count = attributes.link_count.saturating_sub(1);
}

fn stamp_directories(
    directories: &mut Directories,
    now: Timestamp,
) -> (DirectoryChange, DirectoryChange) {
    let from = change_directory(&mut directories.from, now);
    let to = match &mut directories.to {
        Some(to) => change_directory(to, now),
        None => from.clone(),
    };
    (from, to)
}
