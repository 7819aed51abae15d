//! A client that got no reply sends its call again, byte for byte, to whichever gateway: it gets the first reply, byte for
//! byte, and the call is not done again. Also when the metadata service was killed in between.

use std::collections::BTreeSet;

use bytes::Bytes;
use sluice_proto_nfs::nfs3::{
    CreateArgs, CreateHow, CreateResult, DirectoryEntryName, FileHandle, FileName, LinkArgs,
    LinkResult, MkdirArgs, MkdirResult, MknodArgs, MknodResult, MknodWhat, Path, RemoveArgs,
    RemoveResult, RenameArgs, RenameResult, RmdirArgs, RmdirResult, SetAttrArgs, SetAttrResult,
    SetAttributes, SetTime, StableHow, SymlinkArgs, SymlinkResult, nfsstat3, nfstime3,
};
use sluice_proto_nfs::rpc::{AuthSys, Credential, GroupList, MachineName, encode_call};
use sluice_proto_nfs::xdr::Decode as _;
use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::nfs_client::files::{make_dir, make_file, pattern};
use sluice_tests::nfs_client::{Connection, NfsClient};

/// The procedures that must not be done twice.
const PROCEDURES: [u32; 9] = [2, 8, 9, 10, 11, 12, 13, 14, 15];

/// A call as its client sends it, and the status that the first sending is to have.
struct Call {
    what: &'static str,
    xid: u32,
    procedure: u32,
    message: Vec<u8>,
    status: nfsstat3,
    /// The results' status.
    status_of: fn(&[u8]) -> nfsstat3,
}

/// A call that was answered.
struct Answered {
    call: Call,
    reply: Bytes,
}

/// Makes calls, each with a number of its own.
struct Caller {
    xid: u32,
    calls: Vec<Call>,
}

macro_rules! add {
    ($caller:ident, $what:expr, $uid:expr, $status:expr, $result:ident, $arguments:expr) => {{
        let status_of = |body: &[u8]| match $result::from_bytes(body).unwrap() {
            Ok(_) => nfsstat3::NFS3_OK,
            Err(failed) => failed.status,
        };
        $caller.add($what, $uid, $status, status_of, &$arguments);
    }};
}

impl Caller {
    fn add<C: sluice_proto_nfs::rpc::RemoteCall>(
        &mut self,
        what: &'static str,
        uid: u32,
        status: nfsstat3,
        status_of: fn(&[u8]) -> nfsstat3,
        arguments: &C,
    ) {
        self.xid += 1;
        let credential = Credential::Sys(AuthSys {
            stamp: 0,
            machine_name: MachineName::new(b"sender").unwrap(),
            uid,
            gid: uid,
            groups: GroupList::new(&[]).unwrap(),
        });
        self.calls.push(Call {
            what,
            xid: self.xid,
            procedure: C::PROCEDURE,
            message: encode_call(self.xid, credential, arguments),
            status,
            status_of,
        });
    }
}

fn entry(directory: FileHandle, name: &'static [u8]) -> DirectoryEntryName<'static> {
    let name = FileName::new(name).unwrap();
    DirectoryEntryName { directory, name }
}

/// What the calls are about.
struct Tree {
    directory: FileHandle,
    file: FileHandle,
    /// Files with 10,000 bytes whose writing is not over for their gateway.
    cut: FileHandle,
    written: FileHandle,
}

impl Tree {
    async fn make(client: &NfsClient, root: FileHandle) -> Self {
        let directory = make_dir(client, root, "directory").await.unwrap();
        for name in ["gone", "moved", "replaced"] {
            make_file(client, directory, name).await.unwrap();
        }
        make_dir(client, directory, "gone directory").await.unwrap();
        let full = make_dir(client, directory, "full directory").await.unwrap();
        make_file(client, full, "file").await.unwrap();
        let file = make_file(client, directory, "file").await.unwrap();
        let mut being_written = Vec::new();
        for name in ["cut", "opened", "written"] {
            let file = make_file(client, directory, name).await.unwrap();
            let data = pattern(10_000);
            let write = client.write(file, 0, &data, StableHow::Unstable);
            write.await.unwrap();
            being_written.push(file);
        }
        Self {
            directory,
            file,
            cut: being_written[0],
            written: being_written[2],
        }
    }

    /// A call of each procedure that is granted, and of each one that is refused.
    fn calls(&self) -> Vec<Call> {
        let mut caller = Caller {
            xid: 0x5000_0000,
            calls: Vec::new(),
        };
        self.add_granted(&mut caller);
        self.add_refused(&mut caller);
        let procedures = |granted| {
            let calls = caller.calls.iter();
            let of = calls.filter(|call| (call.status as u32 == 0) == granted);
            of.map(|call| call.procedure).collect::<BTreeSet<_>>()
        };
        assert_eq!(procedures(true), BTreeSet::from(PROCEDURES));
        assert_eq!(procedures(false), BTreeSet::from(PROCEDURES));
        caller.calls
    }

    fn add_granted(&self, caller: &mut Caller) {
        let (directory, ok) = (self.directory, nfsstat3::NFS3_OK);
        let mode = SetAttributes {
            mode: Some(0o640),
            ..SetAttributes::default()
        };
        let size = SetAttributes {
            size: Some(5000),
            ..SetAttributes::default()
        };
        let set = |object, attributes| SetAttrArgs {
            object,
            attributes,
            guard_ctime: None,
        };
        add!(caller, "mode", 0, ok, SetAttrResult, set(self.file, mode));
        add!(caller, "size", 0, ok, SetAttrResult, set(self.cut, size));
        let mut create = |what, name, how| {
            let place = entry(directory, name);
            add!(caller, what, 0, ok, CreateResult, CreateArgs { place, how });
        };
        create("create", b"made", CreateHow::Guarded(mode));
        create("create with size", b"sized", CreateHow::Unchecked(size));
        create("create over", b"opened", CreateHow::Unchecked(size));
        create("open", b"written", CreateHow::Unchecked(mode));
        create("exclusive", b"exclusive", CreateHow::Exclusive([7; 8]));
        let mkdir = MkdirArgs {
            place: entry(directory, b"made directory"),
            attributes: mode,
        };
        add!(caller, "mkdir", 0, ok, MkdirResult, mkdir);
        let symlink = SymlinkArgs {
            place: entry(directory, b"made symlink"),
            attributes: mode,
            target: Path::new(b"target").unwrap(),
        };
        add!(caller, "symlink", 0, ok, SymlinkResult, symlink);
        let mknod = MknodArgs {
            place: entry(directory, b"made pipe"),
            what: MknodWhat::Pipe(mode),
        };
        add!(caller, "mknod", 0, ok, MknodResult, mknod);
        let remove = RemoveArgs {
            object: entry(directory, b"gone"),
        };
        add!(caller, "remove", 0, ok, RemoveResult, remove);
        let rmdir = RmdirArgs {
            object: entry(directory, b"gone directory"),
        };
        add!(caller, "rmdir", 0, ok, RmdirResult, rmdir);
        let rename = RenameArgs {
            from: entry(directory, b"moved"),
            to: entry(directory, b"replaced"),
        };
        add!(caller, "rename", 0, ok, RenameResult, rename);
        let mut link = |what, file, name| {
            let link = entry(directory, name);
            add!(caller, what, 0, ok, LinkResult, LinkArgs { file, link });
        };
        link("link", self.file, b"made link");
        link("link of what is written", self.written, b"another link");
    }

    fn add_refused(&self, caller: &mut Caller) {
        use nfsstat3::*;
        let directory = self.directory;
        let nothing = SetAttributes::default();
        let exists = |name| entry(directory, name);
        let create = CreateArgs {
            place: exists(b"file"),
            how: CreateHow::Guarded(nothing),
        };
        add!(caller, "create", 0, NFS3ERR_EXIST, CreateResult, create);
        let mkdir = MkdirArgs {
            place: exists(b"file"),
            attributes: nothing,
        };
        add!(caller, "mkdir", 0, NFS3ERR_EXIST, MkdirResult, mkdir);
        let symlink = SymlinkArgs {
            place: exists(b"file"),
            attributes: nothing,
            target: Path::new(b"target").unwrap(),
        };
        add!(caller, "symlink", 0, NFS3ERR_EXIST, SymlinkResult, symlink);
        let mknod = MknodArgs {
            place: exists(b"file"),
            what: MknodWhat::Pipe(nothing),
        };
        add!(caller, "mknod", 0, NFS3ERR_EXIST, MknodResult, mknod);
        let remove = RemoveArgs {
            object: exists(b"absent"),
        };
        add!(caller, "remove", 0, NFS3ERR_NOENT, RemoveResult, remove);
        let rmdir = RmdirArgs {
            object: exists(b"full directory"),
        };
        add!(caller, "rmdir", 0, NFS3ERR_NOTEMPTY, RmdirResult, rmdir);
        let rename = RenameArgs {
            from: exists(b"absent"),
            to: exists(b"file"),
        };
        add!(caller, "rename", 0, NFS3ERR_NOENT, RenameResult, rename);
        let link = LinkArgs {
            file: self.file,
            link: exists(b"replaced"),
        };
        add!(caller, "link", 0, NFS3ERR_EXIST, LinkResult, link);
        let guarded = SetAttrArgs {
            object: self.file,
            attributes: SetAttributes {
                mtime: SetTime::ServerTime,
                ..nothing
            },
            guard_ctime: Some(nfstime3 {
                seconds: 1,
                nseconds: 2,
            }),
        };
        add!(caller, "guard", 0, NFS3ERR_NOT_SYNC, SetAttrResult, guarded);
        let chmod = SetAttrArgs {
            object: self.file,
            attributes: SetAttributes {
                mode: Some(0o777),
                ..nothing
            },
            guard_ctime: None,
        };
        add!(caller, "chmod", 77, NFS3ERR_PERM, SetAttrResult, chmod);
    }
}

async fn send(connection: &Connection, call: &Call) -> sluice_tests::nfs_client::Reply {
    let reply = connection.exchange(call.xid, &call.message).await;
    reply.unwrap_or_else(|error| panic!("{}: {error}", call.what))
}

async fn assert_replayed(connection: &Connection, answered: &[Answered], when: &str) {
    for Answered { call, reply } in answered {
        let again = send(connection, call).await.record();
        assert_eq!(
            again, *reply,
            "{} ({}) {when}",
            call.what, call.status as u32
        );
    }
}

async fn names(client: &NfsClient, directory: FileHandle) -> Vec<String> {
    let entries = client.list(directory, 1 << 16).await.unwrap();
    let names = entries.into_iter().map(|entry| entry.name);
    let mut names: Vec<_> = names.map(|name| String::from_utf8(name).unwrap()).collect();
    names.sort();
    names
}

fn two_gateways() -> Cluster {
    let settings = Settings {
        gateways: 2,
        ..Settings::default()
    };
    Cluster::start_with(Shape::Separate, settings).unwrap()
}

#[tokio::test]
async fn each_change_is_made_once_whichever_gateway_it_is_sent_to_again() {
    let mut cluster = two_gateways();
    let (client, root) = cluster.client().await.unwrap();
    let tree = Tree::make(&client, root).await;
    let (first, other) = (
        cluster.connect_to(0).await.unwrap(),
        cluster.connect_to(1).await.unwrap(),
    );
    let mut answered = Vec::new();
    for call in tree.calls() {
        let reply = send(&first, &call).await;
        let status = (call.status_of)(&reply.body());
        assert_eq!(status as u32, call.status as u32, "{}", call.what);
        let reply = reply.record();
        answered.push(Answered { call, reply });
        let last = &answered[answered.len() - 1..];
        assert_replayed(&other, last, "through the other gateway").await;
        assert_replayed(&first, last, "through the same gateway").await;
    }

    // Without most of what was changed, nothing but the records can give the replies.
    let directory = tree.directory;
    for gone in ["made", "sized", "cut", "file", "made link", "written"] {
        client.remove(directory, gone.as_bytes()).await.unwrap();
    }
    client.rmdir(directory, b"made directory").await.unwrap();
    make_file(&client, directory, "absent").await.unwrap();
    let (left, attributes) = (
        names(&client, directory).await,
        client.getattr(directory).await.unwrap(),
    );
    assert_replayed(&other, &answered, "when all is different").await;
    assert_replayed(&first, &answered, "when all is different").await;
    cluster.kill9_one("meta").unwrap();
    cluster.start_all().unwrap();
    assert_replayed(&other, &answered, "after a restart").await;
    assert_replayed(&first, &answered, "after a restart").await;

    // A gateway that knows nothing yet finds no trace of a second effect.
    cluster.kill9_one("gateway-2").unwrap();
    cluster.start_all().unwrap();
    let (client, _) = cluster.client_of(1).await.unwrap();
    assert_eq!(names(&client, directory).await, left);
    let now = client.getattr(directory).await.unwrap();
    assert_eq!(
        (now.ctime.seconds, now.ctime.nseconds, now.nlink),
        (
            attributes.ctime.seconds,
            attributes.ctime.nseconds,
            attributes.nlink
        )
    );
    cluster.admin(&["check"]).unwrap();
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn a_call_sent_to_two_gateways_at_once_is_done_once() {
    let mut cluster = two_gateways();
    let (client, root) = cluster.client().await.unwrap();
    let (first, other) = (
        cluster.connect_to(0).await.unwrap(),
        cluster.connect_to(1).await.unwrap(),
    );
    let mut caller = Caller {
        xid: 0x6000_0000,
        calls: Vec::new(),
    };
    for _ in 0..50 {
        let place = entry(root, b"file");
        let how = CreateHow::Guarded(SetAttributes::default());
        let create = CreateArgs { place, how };
        let ok = nfsstat3::NFS3_OK;
        add!(caller, "create", 0, ok, CreateResult, create);
        let object = entry(root, b"file");
        add!(caller, "remove", 0, ok, RemoveResult, RemoveArgs { object });
    }
    for call in &caller.calls {
        let (one, another) = tokio::join!(send(&first, call), send(&other, call));
        let status = (call.status_of)(&one.body());
        assert_eq!(status as u32, call.status as u32, "{}", call.what);
        assert_eq!(one.record(), another.record(), "{}", call.what);
    }
    assert_eq!(names(&client, root).await, Vec::<String>::new());
    cluster.terminate().unwrap();
}
