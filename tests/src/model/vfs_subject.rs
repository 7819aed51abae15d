//! The file service, by direct calls.

use std::sync::Arc;

use bytes::Bytes;
use sluice_types::{
    Access, Attributes, Cookie, Credentials, FileKind, FileName, FsError, Inode, InodeId, Mode,
    Payload, SetAttributes, SetTime, Stability, Timestamp,
};
use sluice_vfs::{Caller, Vfs};
use sluice_wire::meta::{CreateHow, LookupName, Made, NodeKind};

use super::operation::{Action, Change, CreateMode, TimeChange};
use super::subject::{Answer, Performed, Seen, Subject, SubjectError};
use crate::nfs_client::User;

/// Entries of a page of a listing.
const PAGE_ENTRIES: u32 = 7;

/// A file service.
#[derive(Debug)]
pub struct VfsSubject {
    vfs: Arc<Vfs>,
}

type Answered = Result<Answer<InodeId>, FsError>;

impl VfsSubject {
    /// This one.
    pub fn new(vfs: Arc<Vfs>) -> Self {
        Self { vfs }
    }
}

impl Subject for VfsSubject {
    type Handle = InodeId;

    async fn perform(
        &self,
        user: &User,
        action: Action<InodeId>,
    ) -> Result<Performed<InodeId>, SubjectError> {
        let caller = Caller::new(Credentials {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups.iter().copied().collect(),
        });
        let answer = perform(&self.vfs, &caller, action).await;
        answer.map(Performed::from).map_err(SubjectError::Refused)
    }
}

async fn perform(vfs: &Vfs, caller: &Caller, action: Action<InodeId>) -> Answered {
    use Action as A;
    Ok(match action {
        A::GetAttributes { node } => attributes(&vfs.get_node(caller, node).await?),
        A::SetAttributes {
            node,
            change,
            stale_guard,
        } => set_attributes(vfs, caller, node, &change, stale_guard).await?,
        A::Lookup { directory, name } => found(
            &vfs.lookup(caller, directory, lookup_name(name)?)
                .await?
                .node,
        ),
        A::Access { node } => {
            let checked = vfs.access(caller, node).await?;
            Answer::Granted(bits(checked.node.attributes.kind, checked.granted))
        }
        A::ReadSymlink { node } => {
            Answer::Target(vfs.read_symlink(caller, node).await?.target.to_vec())
        }
        A::Read {
            node,
            offset,
            count,
        } => {
            let read = vfs.read(caller, node, offset, count).await?;
            Answer::Data(read.payload.to_contiguous().to_vec(), read.end_of_file)
        }
        A::Write {
            node,
            offset,
            data,
            stability,
        } => {
            let mut payload = Payload::new();
            payload.push(Bytes::from(data));
            let written = vfs.write(caller, node, offset, payload, stability).await?;
            let durable = written.stability != Stability::Unstable;
            Answer::Written(written.written, written.verifier.0, durable)
        }
        A::Commit { node } => Answer::Committed(vfs.commit(caller, node, 0, 0).await?.verifier.0),
        A::List { directory, .. } => list(vfs, caller, directory).await?,
        other => change_names(vfs, caller, other).await?,
    })
}

async fn change_names(vfs: &Vfs, caller: &Caller, action: Action<InodeId>) -> Answered {
    use Action as A;
    Ok(match action {
        A::Create {
            directory,
            name,
            how,
        } => made(
            &vfs.create(caller, directory, FileName::new(name)?, create_how(how))
                .await?,
        ),
        A::MakeDirectory {
            directory,
            name,
            mode,
        } => {
            let name = FileName::new(name)?;
            made(
                &vfs.make_directory(caller, directory, name, with_mode(mode))
                    .await?,
            )
        }
        A::MakeSymlink {
            directory,
            name,
            target,
        } => {
            let (name, mode) = (FileName::new(name)?, with_mode(0o777));
            let symlink = vfs.make_symlink(caller, directory, name, mode, Bytes::from(target));
            made(&symlink.await?)
        }
        A::MakeNode {
            directory,
            name,
            kind,
            device,
            mode,
        } => {
            let kind = match kind {
                FileKind::Socket => NodeKind::Socket,
                FileKind::BlockDevice => NodeKind::BlockDevice(device),
                FileKind::CharacterDevice => NodeKind::CharacterDevice(device),
                _ => NodeKind::Fifo,
            };
            let name = FileName::new(name)?;
            made(
                &vfs.make_node(caller, directory, name, with_mode(mode), kind)
                    .await?,
            )
        }
        A::Link {
            node,
            directory,
            name,
        } => {
            let linked = vfs.link(caller, node, directory, FileName::new(name)?);
            let linked = linked.await?;
            let node = linked.settled_node();
            Answer::Attributes(node.map(|node| seen(node.id, &node.attributes)))
        }
        A::Remove { directory, name } => {
            vfs.remove(caller, directory, FileName::new(name)?).await?;
            Answer::Done
        }
        A::RemoveDirectory { directory, name } => {
            vfs.remove_directory(caller, directory, FileName::new(name)?)
                .await?;
            Answer::Done
        }
        A::Rename {
            from,
            from_name,
            to,
            to_name,
        } => {
            let (from_name, to_name) = (FileName::new(from_name)?, FileName::new(to_name)?);
            vfs.rename(caller, from, from_name, to, to_name).await?;
            Answer::Done
        }
        _ => Answer::Done,
    })
}

async fn set_attributes(
    vfs: &Vfs,
    caller: &Caller,
    node: InodeId,
    change: &Change,
    stale_guard: bool,
) -> Answered {
    let mut guard = vfs.get_node(caller, node).await?.attributes.changed;
    if stale_guard {
        guard = Timestamp::new(guard.seconds() + 1, guard.nanoseconds());
    }
    let changes = SetAttributes {
        mode: change.mode.map(|mode| Mode::new(mode.into())),
        uid: change.uid,
        gid: change.gid,
        size_bytes: change.size,
        accessed: change.accessed.map(set_time),
        modified: change.modified.map(set_time),
    };
    let changed = vfs
        .set_attributes(caller, node, changes, Some(guard))
        .await?;
    Ok(attributes(&changed.after))
}

async fn list(vfs: &Vfs, caller: &Caller, directory: InodeId) -> Answered {
    let mut names = Vec::new();
    let mut after = Cookie::START;
    loop {
        let page = vfs
            .read_directory(caller, directory, after, PAGE_ENTRIES, true)
            .await?;
        for entry in page.entries {
            after = entry.cookie;
            names.push((entry.name.as_bytes().to_vec(), entry.inode.raw()));
        }
        if page.end {
            return Ok(Answer::Names(names));
        }
    }
}

fn attributes(node: &Inode) -> Answer<InodeId> {
    Answer::Attributes(Some(seen(node.id, &node.attributes)))
}

fn made(made: &Made) -> Answer<InodeId> {
    let node = made.settled_node();
    Answer::Found(
        made.node.id,
        node.map(|node| seen(node.id, &node.attributes)),
    )
}

fn found(node: &Inode) -> Answer<InodeId> {
    Answer::Found(node.id, Some(seen(node.id, &node.attributes)))
}

fn seen(id: InodeId, attributes: &Attributes) -> Seen {
    Seen {
        kind: attributes.kind,
        mode: attributes.mode.bits(),
        link_count: attributes.link_count,
        uid: attributes.uid,
        gid: attributes.gid,
        size: attributes.size_bytes,
        file_id: id.raw(),
        accessed: attributes.accessed,
        modified: attributes.modified,
        changed: attributes.changed,
    }
}

/// As ACCESS tells them: entries of a directory can be changed by who may write and search it.
fn bits(kind: FileKind, granted: Access) -> u8 {
    let write = match kind {
        FileKind::Directory => Access::WRITE.and(Access::EXECUTE),
        _ => Access::WRITE,
    };
    let bit = |access: Access, bit: u8| if granted.contains(access) { bit } else { 0 };
    bit(Access::READ, 4) | bit(write, 2) | bit(Access::EXECUTE, 1)
}

fn lookup_name(name: Vec<u8>) -> Result<LookupName, FsError> {
    Ok(match &name[..] {
        b"." => LookupName::Current,
        b".." => LookupName::Parent,
        _ => LookupName::Name(FileName::new(name)?),
    })
}

fn create_how(how: CreateMode) -> CreateHow {
    match how {
        CreateMode::Unchecked { mode, truncate } => CreateHow::Unchecked(SetAttributes {
            size_bytes: truncate.then_some(0),
            ..with_mode(mode)
        }),
        CreateMode::Guarded { mode } => CreateHow::Guarded(with_mode(mode)),
        CreateMode::Exclusive { verifier } => CreateHow::Exclusive(verifier),
    }
}

fn with_mode(mode: u16) -> SetAttributes {
    SetAttributes {
        mode: Some(Mode::new(mode.into())),
        ..SetAttributes::default()
    }
}

fn set_time(change: TimeChange) -> SetTime {
    match change {
        TimeChange::Now => SetTime::Now,
        TimeChange::To(time) => SetTime::To(time),
    }
}
