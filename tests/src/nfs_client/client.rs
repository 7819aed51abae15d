//! NFSv3's procedures as methods.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sluice_proto_nfs::mount::{DirectoryPath, MountArgs};
use sluice_proto_nfs::nfs3::{
    AccessArgs, CommitArgs, CommitOk, CreateArgs, CreateHow, Created, DirectoryEntryName, Failed,
    FileHandle, FileName, FsInfoArgs, FsInfoOk, FsStatArgs, FsStatOk, GetAttrArgs, LinkArgs,
    Linked, LookupArgs, LookupOk, MkdirArgs, MknodArgs, MknodWhat, Path, PathConfArgs, PathConfOk,
    ReadArgs, ReadlinkArgs, RemoveArgs, RenameArgs, RenameWcc, RmdirArgs, SetAttrArgs,
    SetAttributes, StableHow, SymlinkArgs, WccData, WriteArgs, WriteOk, fattr3, nfstime3,
};
use sluice_proto_nfs::rpc::{AuthSys, Credential, GroupList, MachineName, RemoteCall};
use sluice_proto_nfs::xdr::Opaque;

use super::{Connection, NfsError, Reply};

/// As whom a client calls (AUTH_SYS).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, at most 16.
    pub groups: Vec<u32>,
}

impl User {
    /// The superuser.
    pub const ROOT: Self = Self {
        uid: 0,
        gid: 0,
        groups: Vec::new(),
    };

    /// A user with no supplementary groups.
    pub const fn new(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            groups: Vec::new(),
        }
    }
}

/// A user on a connection.
#[derive(Debug, Clone)]
pub struct NfsClient {
    connection: Arc<Connection>,
    user: User,
}

/// What READ yielded.
#[derive(Debug, Clone)]
pub struct ReadData {
    /// The bytes.
    pub data: Bytes,
    /// Whether the file ends after them.
    pub end_of_file: bool,
    /// The file's attributes after the read.
    pub attributes: Option<fattr3>,
}

type Outcome<T> = Result<T, NfsError>;

impl NfsClient {
    /// A client over `connection`, as root.
    pub fn new(connection: Connection) -> Self {
        Self {
            connection: Arc::new(connection),
            user: User::ROOT,
        }
    }

    /// Connects to the NFS port and mounts `path` through it: the client and the root's handle.
    ///
    /// # Errors
    /// As [`NfsClient::mount`], and [`NfsError::Connect`].
    pub async fn connect(address: SocketAddr, path: &str) -> Outcome<(Self, FileHandle)> {
        let client = Self::new(Connection::connect(address).await?);
        let root = client.mount(path).await?;
        Ok((client, root))
    }

    /// The same connection as another user.
    #[must_use]
    pub fn as_user(&self, user: User) -> Self {
        Self {
            connection: Arc::clone(&self.connection),
            user,
        }
    }

    /// The connection below.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Calls any procedure as this client's user.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call<C: RemoteCall>(&self, call: &C) -> Outcome<Reply> {
        let xid = self.connection.fresh_xid();
        self.call_with_xid(xid, call).await
    }

    /// Calls any procedure under a given xid.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_with_xid<C: RemoteCall>(&self, xid: u32, call: &C) -> Outcome<Reply> {
        let credential = Credential::Sys(AuthSys {
            stamp: 0,
            machine_name: MachineName::new(b"sluice-tests")?,
            uid: self.user.uid,
            gid: self.user.gid,
            groups: GroupList::new(&self.user.groups)?,
        });
        self.connection.call_with_xid(xid, credential, call).await
    }

    /// MOUNT's MNT over the same connection: the handle of an exported path.
    ///
    /// # Errors
    /// [`NfsError::Mount`].
    pub async fn mount(&self, path: &str) -> Outcome<FileHandle> {
        let path = DirectoryPath::new(path.as_bytes())?;
        let reply = self.call(&MountArgs { path }).await?;
        let mounted = reply.results::<MountArgs<'_>>()?;
        mounted
            .map(|mounted| mounted.handle)
            .map_err(NfsError::Mount)
    }

    /// GETATTR.
    ///
    /// # Errors
    /// [`NfsError`]; so for all that follow.
    pub async fn getattr(&self, object: FileHandle) -> Outcome<fattr3> {
        let reply = self.call(&GetAttrArgs { object }).await?;
        done(reply.results::<GetAttrArgs>()?)
    }

    /// SETATTR, with the ctime that must still be the object's if `guard_ctime` is given.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn setattr(
        &self,
        object: FileHandle,
        attributes: SetAttributes,
        guard_ctime: Option<nfstime3>,
    ) -> Outcome<WccData> {
        let call = SetAttrArgs {
            object,
            attributes,
            guard_ctime,
        };
        done(self.call(&call).await?.results::<SetAttrArgs>()?)
    }

    /// LOOKUP.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn lookup(&self, directory: FileHandle, name: &[u8]) -> Outcome<LookupOk> {
        let what = entry(directory, name)?;
        done(
            self.call(&LookupArgs { what })
                .await?
                .results::<LookupArgs<'_>>()?,
        )
    }

    /// ACCESS: those of the bits asked about that are granted.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn access(&self, object: FileHandle, access: u32) -> Outcome<u32> {
        let reply = self.call(&AccessArgs { object, access }).await?;
        done(reply.results::<AccessArgs>()?).map(|granted| granted.access)
    }

    /// READLINK.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn readlink(&self, symlink: FileHandle) -> Outcome<Vec<u8>> {
        let reply = self.call(&ReadlinkArgs { symlink }).await?;
        done(reply.results::<ReadlinkArgs>()?).map(|read| read.target.bytes().to_vec())
    }

    /// READ.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn read(&self, file: FileHandle, offset: u64, count: u32) -> Outcome<ReadData> {
        let call = ReadArgs {
            file,
            offset,
            count,
        };
        let reply = self.call(&call).await?;
        let body = reply.body();
        let read = done(reply.results::<ReadArgs>()?)?;
        Ok(ReadData {
            data: body.slice(read.data.range()),
            end_of_file: read.eof,
            attributes: read.attributes,
        })
    }

    /// WRITE.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn write(
        &self,
        file: FileHandle,
        offset: u64,
        data: &[u8],
        stable: StableHow,
    ) -> Outcome<WriteOk> {
        let call = WriteArgs {
            file,
            offset,
            count: data.len() as u32,
            stable,
            data: Opaque::new(data),
        };
        done(self.call(&call).await?.results::<WriteArgs<'_>>()?)
    }

    /// COMMIT; a `count` of 0 means to the end.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn commit(&self, file: FileHandle, offset: u64, count: u32) -> Outcome<CommitOk> {
        let call = CommitArgs {
            file,
            offset,
            count,
        };
        done(self.call(&call).await?.results::<CommitArgs>()?)
    }

    /// CREATE.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn create(
        &self,
        directory: FileHandle,
        name: &[u8],
        how: CreateHow,
    ) -> Outcome<Created> {
        let place = entry(directory, name)?;
        done(
            self.call(&CreateArgs { place, how })
                .await?
                .results::<CreateArgs<'_>>()?,
        )
    }

    /// MKDIR.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn mkdir(
        &self,
        directory: FileHandle,
        name: &[u8],
        attributes: SetAttributes,
    ) -> Outcome<Created> {
        let place = entry(directory, name)?;
        let call = MkdirArgs { place, attributes };
        done(self.call(&call).await?.results::<MkdirArgs<'_>>()?)
    }

    /// SYMLINK.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn symlink(
        &self,
        directory: FileHandle,
        name: &[u8],
        target: &[u8],
        attributes: SetAttributes,
    ) -> Outcome<Created> {
        let call = SymlinkArgs {
            place: entry(directory, name)?,
            attributes,
            target: Path::new(target)?,
        };
        done(self.call(&call).await?.results::<SymlinkArgs<'_>>()?)
    }

    /// MKNOD.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn mknod(
        &self,
        directory: FileHandle,
        name: &[u8],
        what: MknodWhat,
    ) -> Outcome<Created> {
        let place = entry(directory, name)?;
        done(
            self.call(&MknodArgs { place, what })
                .await?
                .results::<MknodArgs<'_>>()?,
        )
    }

    /// REMOVE.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn remove(&self, directory: FileHandle, name: &[u8]) -> Outcome<WccData> {
        let object = entry(directory, name)?;
        done(
            self.call(&RemoveArgs { object })
                .await?
                .results::<RemoveArgs<'_>>()?,
        )
    }

    /// RMDIR.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn rmdir(&self, directory: FileHandle, name: &[u8]) -> Outcome<WccData> {
        let object = entry(directory, name)?;
        done(
            self.call(&RmdirArgs { object })
                .await?
                .results::<RmdirArgs<'_>>()?,
        )
    }

    /// RENAME.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn rename(
        &self,
        from: (FileHandle, &[u8]),
        to: (FileHandle, &[u8]),
    ) -> Outcome<RenameWcc> {
        let call = RenameArgs {
            from: entry(from.0, from.1)?,
            to: entry(to.0, to.1)?,
        };
        done(self.call(&call).await?.results::<RenameArgs<'_>>()?)
    }

    /// LINK: another name for `file`.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn link(
        &self,
        file: FileHandle,
        directory: FileHandle,
        name: &[u8],
    ) -> Outcome<Linked> {
        let link = entry(directory, name)?;
        done(
            self.call(&LinkArgs { file, link })
                .await?
                .results::<LinkArgs<'_>>()?,
        )
    }

    /// FSSTAT.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn fsstat(&self, root: FileHandle) -> Outcome<FsStatOk> {
        done(
            self.call(&FsStatArgs { root })
                .await?
                .results::<FsStatArgs>()?,
        )
    }

    /// FSINFO.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn fsinfo(&self, root: FileHandle) -> Outcome<FsInfoOk> {
        done(
            self.call(&FsInfoArgs { root })
                .await?
                .results::<FsInfoArgs>()?,
        )
    }

    /// PATHCONF.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn pathconf(&self, object: FileHandle) -> Outcome<PathConfOk> {
        done(
            self.call(&PathConfArgs { object })
                .await?
                .results::<PathConfArgs>()?,
        )
    }
}

/// A name in a directory, as calls take it.
pub(super) fn entry(directory: FileHandle, name: &[u8]) -> Outcome<DirectoryEntryName<'_>> {
    Ok(DirectoryEntryName {
        directory,
        name: FileName::new(name)?,
    })
}

/// What the procedure yielded, or its status.
pub(super) fn done<T, F>(result: Result<T, Failed<F>>) -> Outcome<T> {
    result.map_err(|failed| NfsError::Status(failed.status))
}
