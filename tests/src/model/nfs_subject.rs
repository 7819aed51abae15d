//! The real thing, through NFS.

use std::time::Duration;

use sluice_proto_nfs::nfs3::{
    CreateHow, Created, FileHandle, MknodWhat, SetAttributes, SetTime, StableHow, WccData,
    access_bits, fattr3, ftype3, nfsstat3, nfstime3, specdata3,
};
use sluice_types::{Device, FileKind, FsError, Stability, Timestamp};

use super::operation::{Action, Change, CreateMode, TimeChange};
use super::subject::{Answer, Performed, Seen, SeenBefore, SeenChange, Subject, SubjectError};
use crate::nfs_client::files::with_mode;
use crate::nfs_client::{NfsClient, NfsError, User};

/// How often an action that gets NFS3ERR_JUKEBOX ("later") is tried again.
const JUKEBOX_TRIES: u32 = 100;

/// A mounted file system, through a raw client.
#[derive(Debug)]
pub struct NfsSubject {
    client: NfsClient,
    /// A change that gets NFS3ERR_JUKEBOX may have been done all the same.
    crashes: bool,
}

type Outcome = Result<Performed<FileHandle>, NfsError>;

impl NfsSubject {
    /// Through this client.
    pub fn new(client: NfsClient) -> Self {
        Self {
            client,
            crashes: false,
        }
    }

    /// Through this client, while daemons are killed behind the gateway: a change that is answered with "later"
    /// counts as one whose outcome is unknown.
    pub fn for_crashes(client: NfsClient) -> Self {
        Self {
            client,
            crashes: true,
        }
    }
}

impl Subject for NfsSubject {
    type Handle = FileHandle;

    fn may_restart(&self) -> bool {
        self.crashes
    }

    async fn perform(
        &self,
        user: &User,
        action: Action<FileHandle>,
    ) -> Result<Performed<FileHandle>, SubjectError> {
        let client = self.client.as_user(user.clone());
        for _ in 0..JUKEBOX_TRIES {
            let result = perform(&client, &action).await;
            match result.map_err(subject_error) {
                Err(SubjectError::Refused(FsError::Busy)) if self.crashes && changes(&action) => {
                    return Err(SubjectError::Unknown);
                }
                Err(SubjectError::Refused(FsError::Busy)) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => return other,
            }
        }
        Err(SubjectError::Refused(FsError::Busy))
    }
}

fn changes(action: &Action<FileHandle>) -> bool {
    use Action as A;
    !matches!(
        action,
        A::GetAttributes { .. }
            | A::Lookup { .. }
            | A::Access { .. }
            | A::ReadSymlink { .. }
            | A::Read { .. }
            | A::Commit { .. }
            | A::List { .. }
    )
}

async fn perform(client: &NfsClient, action: &Action<FileHandle>) -> Outcome {
    use Action as A;
    match action {
        A::GetAttributes { node } => Ok(attributes(Some(client.getattr(*node).await?)).into()),
        A::SetAttributes {
            node,
            change,
            stale_guard,
        } => set_attributes(client, *node, change, *stale_guard).await,
        A::Lookup { directory, name } => {
            let found = client.lookup(*directory, name).await?;
            Ok(Answer::Found(found.object, found.attributes.map(|it| seen(&it))).into())
        }
        A::Access { node } => access(client, *node).await,
        A::ReadSymlink { node } => Ok(Answer::Target(client.readlink(*node).await?).into()),
        A::Read {
            node,
            offset,
            count,
        } => {
            let read = client.read(*node, *offset, *count).await?;
            let answer = Answer::Data(read.data.to_vec(), read.end_of_file);
            let nothing_before = WccData {
                before: None,
                after: read.attributes,
            };
            Ok(with_changes(answer, [(*node, nothing_before)]))
        }
        A::Write {
            node,
            offset,
            data,
            stability,
        } => {
            let stable = stable_how(*stability);
            let written = client.write(*node, *offset, data, stable).await?;
            let durable = written.committed != StableHow::Unstable;
            let answer = Answer::Written(written.count, written.verifier, durable);
            Ok(with_changes(answer, [(*node, written.wcc)]))
        }
        A::Commit { node } => {
            let committed = client.commit(*node, 0, 0).await?;
            let answer = Answer::Committed(committed.verifier);
            Ok(with_changes(answer, [(*node, committed.wcc)]))
        }
        A::List {
            directory,
            page_bytes,
        } => list(client, *directory, *page_bytes).await,
        other => change_names(client, other).await,
    }
}

async fn change_names(client: &NfsClient, action: &Action<FileHandle>) -> Outcome {
    use Action as A;
    match action {
        A::Link {
            node,
            directory,
            name,
        } => {
            let linked = client.link(*node, *directory, name).await?;
            let answer = attributes(linked.attributes);
            Ok(with_changes(answer, [(*directory, linked.directory_wcc)]))
        }
        A::Remove { directory, name } => {
            let wcc = client.remove(*directory, name).await?;
            Ok(with_changes(Answer::Done, [(*directory, wcc)]))
        }
        A::RemoveDirectory { directory, name } => {
            let wcc = client.rmdir(*directory, name).await?;
            Ok(with_changes(Answer::Done, [(*directory, wcc)]))
        }
        A::Rename {
            from,
            from_name,
            to,
            to_name,
        } => {
            let renamed = client.rename((*from, from_name), (*to, to_name)).await?;
            let changes = [(*from, renamed.from_directory), (*to, renamed.to_directory)];
            Ok(with_changes(Answer::Done, changes))
        }
        other => make(client, other).await,
    }
}

/// The answer, and what a client is to know of these objects' attributes before and after.
fn with_changes<const N: usize>(
    answer: Answer<FileHandle>,
    changes: [(FileHandle, WccData); N],
) -> Performed<FileHandle> {
    let changes = changes.map(|(object, wcc)| SeenChange {
        object,
        before: wcc.before.map(|before| SeenBefore {
            size: before.size,
            modified: timestamp(before.mtime),
            changed: timestamp(before.ctime),
        }),
        after: wcc.after.map(|after| seen(&after)),
    });
    Performed {
        answer,
        changes: changes.into(),
    }
}

async fn make(client: &NfsClient, action: &Action<FileHandle>) -> Outcome {
    use Action as A;
    let (directory, name, made) = match action {
        A::Create {
            directory,
            name,
            how,
        } => {
            let how = create_how(*how);
            (directory, name, client.create(*directory, name, how).await?)
        }
        A::MakeDirectory {
            directory,
            name,
            mode,
        } => {
            let attributes = with_mode((*mode).into());
            (
                directory,
                name,
                client.mkdir(*directory, name, attributes).await?,
            )
        }
        A::MakeSymlink {
            directory,
            name,
            target,
        } => {
            let made = client
                .symlink(*directory, name, target, with_mode(0o777))
                .await?;
            (directory, name, made)
        }
        A::MakeNode {
            directory,
            name,
            kind,
            device,
            mode,
        } => {
            let what = mknod_what(*kind, *device, *mode);
            (directory, name, client.mknod(*directory, name, what).await?)
        }
        _ => return Ok(Answer::Done.into()),
    };
    found(client, *directory, name, made).await
}

/// A reply may leave the handle out; then it is looked up.
async fn found(client: &NfsClient, directory: FileHandle, name: &[u8], made: Created) -> Outcome {
    let (handle, attributes) = match made.object {
        Some(handle) => (handle, made.attributes),
        None => {
            let found = client.as_user(User::ROOT).lookup(directory, name).await?;
            (found.object, found.attributes)
        }
    };
    let answer = Answer::Found(handle, attributes.map(|it| seen(&it)));
    Ok(with_changes(answer, [(directory, made.directory_wcc)]))
}

async fn set_attributes(
    client: &NfsClient,
    node: FileHandle,
    change: &Change,
    stale_guard: bool,
) -> Outcome {
    let mut guard = client.getattr(node).await?.ctime;
    if stale_guard {
        guard.seconds = guard.seconds.wrapping_add(1);
    }
    let to_set = SetAttributes {
        mode: change.mode.map(u32::from),
        uid: change.uid,
        gid: change.gid,
        size: change.size,
        atime: set_time(change.accessed),
        mtime: set_time(change.modified),
    };
    let changed = client.setattr(node, to_set, Some(guard)).await?;
    Ok(with_changes(attributes(changed.after), [(node, changed)]))
}

async fn access(client: &NfsClient, node: FileHandle) -> Outcome {
    let asked = access_bits::READ
        | access_bits::LOOKUP
        | access_bits::MODIFY
        | access_bits::EXTEND
        | access_bits::EXECUTE;
    let granted = client.access(node, asked).await?;
    let read = u8::from(granted & access_bits::READ != 0) << 2;
    let write = u8::from(granted & (access_bits::MODIFY | access_bits::EXTEND) != 0) << 1;
    let search = u8::from(granted & (access_bits::LOOKUP | access_bits::EXECUTE) != 0);
    Ok(Answer::Granted(read | write | search).into())
}

async fn list(client: &NfsClient, directory: FileHandle, page_bytes: u32) -> Outcome {
    let mut names = Vec::new();
    let (mut cookie, mut verifier) = (0, [0; 8]);
    loop {
        let page = client
            .readdir(directory, cookie, verifier, page_bytes)
            .await?;
        verifier = page.cookie_verifier;
        for entry in page.entries {
            cookie = entry.cookie;
            if entry.name != b"." && entry.name != b".." {
                names.push((entry.name, entry.file_id));
            }
        }
        if page.end {
            return Ok(Answer::Names(names).into());
        }
    }
}

fn attributes(attributes: Option<fattr3>) -> Answer<FileHandle> {
    Answer::Attributes(attributes.map(|it| seen(&it)))
}

fn seen(attributes: &fattr3) -> Seen {
    Seen {
        kind: file_kind(attributes.ftype),
        mode: (attributes.mode & 0o7777) as u16,
        link_count: attributes.nlink,
        uid: attributes.uid,
        gid: attributes.gid,
        size: attributes.size,
        file_id: attributes.fileid,
        accessed: timestamp(attributes.atime),
        modified: timestamp(attributes.mtime),
        changed: timestamp(attributes.ctime),
    }
}

fn file_kind(kind: ftype3) -> FileKind {
    match kind {
        ftype3::NF3REG => FileKind::Regular,
        ftype3::NF3DIR => FileKind::Directory,
        ftype3::NF3LNK => FileKind::Symlink,
        ftype3::NF3FIFO => FileKind::Fifo,
        ftype3::NF3SOCK => FileKind::Socket,
        ftype3::NF3BLK => FileKind::BlockDevice,
        ftype3::NF3CHR => FileKind::CharacterDevice,
    }
}

fn timestamp(time: nfstime3) -> Timestamp {
    Timestamp::new(time.seconds.into(), time.nseconds)
}

fn set_time(change: Option<TimeChange>) -> SetTime {
    match change {
        None => SetTime::DontChange,
        Some(TimeChange::Now) => SetTime::ServerTime,
        Some(TimeChange::To(time)) => SetTime::ClientTime(nfstime3 {
            seconds: time.seconds() as u32,
            nseconds: time.nanoseconds(),
        }),
    }
}

fn create_how(how: CreateMode) -> CreateHow {
    match how {
        CreateMode::Unchecked { mode, truncate } => CreateHow::Unchecked(SetAttributes {
            size: truncate.then_some(0),
            ..with_mode(mode.into())
        }),
        CreateMode::Guarded { mode } => CreateHow::Guarded(with_mode(mode.into())),
        CreateMode::Exclusive { verifier } => CreateHow::Exclusive(verifier),
    }
}

fn mknod_what(kind: FileKind, device: Device, mode: u16) -> MknodWhat {
    let attributes = with_mode(mode.into());
    let numbers = specdata3 {
        specdata1: device.major,
        specdata2: device.minor,
    };
    match kind {
        FileKind::Socket => MknodWhat::Socket(attributes),
        FileKind::BlockDevice => MknodWhat::BlockDevice(attributes, numbers),
        FileKind::CharacterDevice => MknodWhat::CharacterDevice(attributes, numbers),
        _ => MknodWhat::Pipe(attributes),
    }
}

fn stable_how(stability: Stability) -> StableHow {
    match stability {
        Stability::Unstable => StableHow::Unstable,
        Stability::DataSync => StableHow::DataSync,
        Stability::FileSync => StableHow::FileSync,
    }
}

fn subject_error(error: NfsError) -> SubjectError {
    match error {
        NfsError::Status(status) => match fs_error(status) {
            Some(error) => SubjectError::Refused(error),
            None => SubjectError::Broken(format!("{status:?}")),
        },
        error if error.is_unknown_outcome() => SubjectError::Unknown,
        error => SubjectError::Broken(error.to_string()),
    }
}

fn fs_error(status: nfsstat3) -> Option<FsError> {
    Some(match status {
        nfsstat3::NFS3ERR_PERM => FsError::NotPermitted,
        nfsstat3::NFS3ERR_NOENT => FsError::NotFound,
        nfsstat3::NFS3ERR_IO => FsError::Io,
        nfsstat3::NFS3ERR_ACCES => FsError::AccessDenied,
        nfsstat3::NFS3ERR_EXIST => FsError::Exists,
        nfsstat3::NFS3ERR_XDEV => FsError::CrossDevice,
        nfsstat3::NFS3ERR_NOTDIR => FsError::NotDirectory,
        nfsstat3::NFS3ERR_ISDIR => FsError::IsDirectory,
        nfsstat3::NFS3ERR_INVAL | nfsstat3::NFS3ERR_BADTYPE => FsError::Invalid,
        nfsstat3::NFS3ERR_FBIG => FsError::FileTooLarge,
        nfsstat3::NFS3ERR_NOSPC => FsError::NoSpace,
        nfsstat3::NFS3ERR_ROFS => FsError::ReadOnly,
        nfsstat3::NFS3ERR_MLINK => FsError::TooManyLinks,
        nfsstat3::NFS3ERR_NAMETOOLONG => FsError::NameTooLong,
        nfsstat3::NFS3ERR_NOTEMPTY => FsError::NotEmpty,
        nfsstat3::NFS3ERR_DQUOT => FsError::QuotaExceeded,
        nfsstat3::NFS3ERR_STALE => FsError::Stale,
        nfsstat3::NFS3ERR_NOT_SYNC => FsError::GuardMismatch,
        nfsstat3::NFS3ERR_NOTSUPP => FsError::NotSupported,
        nfsstat3::NFS3ERR_JUKEBOX => FsError::Busy,
        _ => return None,
    })
}
