//! All procedures of NFSv3 over a socket: what is asked of the file service, and what is answered.

mod support;

use sluice_gateway_nfs::{HandleContents, HandleMaker};
use sluice_proto_nfs::nfs3::{
    self, AccessArgs, AccessResult, CommitArgs, CommitResult, CreateArgs, CreateHow, CreateResult,
    Created, FileHandle, FsInfoArgs, FsInfoResult, FsStatArgs, FsStatResult, GetAttrArgs, LinkArgs,
    LinkResult, LookupArgs, LookupResult, MkdirArgs, MkdirResult, MknodArgs, MknodResult,
    MknodWhat, Path, PathConfArgs, PathConfResult, ReadArgs, ReadResult, ReadlinkArgs,
    ReadlinkResult, RemoveArgs, RemoveResult, RenameArgs, RenameResult, RmdirArgs, RmdirResult,
    SetAttrArgs, SetAttrResult, SetAttributes, StableHow, SymlinkArgs, SymlinkResult, WriteArgs,
    WriteResult, ftype3, nfsstat3, nfstime3, specdata3,
};
use sluice_proto_nfs::rpc::RemoteCall;
use sluice_proto_nfs::xdr::{Decode, Opaque};
use sluice_types::{ExportId, FileSystemId, FsError, Generation, InodeId};
use support::{Client, FILE_SYSTEM, Served, key, name};

async fn create(client: &mut Client, directory: FileHandle, file: &str) -> Created {
    let call = CreateArgs {
        place: name(directory, file),
        how: CreateHow::Guarded(SetAttributes::default()),
    };
    CreateResult::from_bytes(&client.call(&call).await)
        .unwrap()
        .unwrap()
}

async fn mkdir(client: &mut Client, directory: FileHandle, child: &str) -> Created {
    let call = MkdirArgs {
        place: name(directory, child),
        attributes: SetAttributes::default(),
    };
    MkdirResult::from_bytes(&client.call(&call).await)
        .unwrap()
        .unwrap()
}

/// The status of a result of any kind.
async fn status<C: RemoteCall>(client: &mut Client, call: &C) -> u32 {
    let results = client.call(call).await;
    u32::from_be_bytes(results[..4].try_into().unwrap())
}

#[tokio::test]
async fn a_file_from_its_creation_to_its_end() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let created = create(&mut client, root, "file").await;
    let file = created.object.unwrap();
    let wcc = created.directory_wcc;
    assert_ne!(
        wcc.before.unwrap().ctime.seconds,
        wcc.after.unwrap().ctime.seconds
    );

    let data = b"hello, world";
    let write = WriteArgs {
        file,
        offset: 3,
        count: data.len() as u32,
        stable: StableHow::DataSync,
        data: Opaque::new(data),
    };
    let written = WriteResult::from_bytes(&client.call(&write).await)
        .unwrap()
        .unwrap();
    assert_eq!(
        (written.count, written.committed),
        (12, StableHow::DataSync)
    );
    assert_eq!(&written.verifier, b"verifier");
    assert_eq!(written.wcc.before.unwrap().size, 0);
    assert_eq!(written.wcc.after.unwrap().size, 15);

    let commit = CommitArgs {
        file,
        offset: 0,
        count: 0,
    };
    let committed = CommitResult::from_bytes(&client.call(&commit).await)
        .unwrap()
        .unwrap();
    assert_eq!(committed.verifier, written.verifier);

    let read = ReadArgs {
        file,
        offset: 0,
        count: 5,
    };
    let results = client.call(&read).await;
    let read = ReadResult::from_bytes(&results).unwrap().unwrap();
    assert_eq!(
        (read.data.bytes(), read.count, read.eof),
        (&b"\0\0\0he"[..], 5, false)
    );
    assert_eq!(read.attributes.unwrap().size, 15);
    let read = ReadArgs {
        file,
        offset: 14,
        count: u32::MAX,
    };
    let results = client.call(&read).await;
    let read = ReadResult::from_bytes(&results).unwrap().unwrap();
    assert_eq!((read.data.bytes(), read.eof), (&b"d"[..], true));

    let link = LinkArgs {
        file,
        link: name(root, "second"),
    };
    let linked = LinkResult::from_bytes(&client.call(&link).await)
        .unwrap()
        .unwrap();
    assert_eq!(linked.attributes.unwrap().nlink, 2);
    for file in ["file", "second"] {
        let remove = RemoveArgs {
            object: name(root, file),
        };
        let removed = RemoveResult::from_bytes(&client.call(&remove).await).unwrap();
        assert!(removed.unwrap().after.is_some());
    }
    let gone = status(&mut client, &GetAttrArgs { object: file }).await;
    assert_eq!(gone, nfsstat3::NFS3ERR_STALE as u32);
}

#[tokio::test]
async fn directories_links_and_devices() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let directory = mkdir(&mut client, root, "directory").await.object.unwrap();
    let symlink = SymlinkArgs {
        place: name(directory, "link"),
        attributes: SetAttributes::default(),
        target: Path::new(b"../file").unwrap(),
    };
    let made = SymlinkResult::from_bytes(&client.call(&symlink).await)
        .unwrap()
        .unwrap();
    let results = client
        .call(&ReadlinkArgs {
            symlink: made.object.unwrap(),
        })
        .await;
    let read = ReadlinkResult::from_bytes(&results).unwrap().unwrap();
    assert_eq!(read.target.bytes(), b"../file");

    let device = specdata3 {
        specdata1: 8,
        specdata2: 1,
    };
    let node = MknodArgs {
        place: name(directory, "disk"),
        what: MknodWhat::BlockDevice(SetAttributes::default(), device),
    };
    let made = MknodResult::from_bytes(&client.call(&node).await)
        .unwrap()
        .unwrap();
    let attributes = made.attributes.unwrap();
    assert!(matches!(attributes.ftype, ftype3::NF3BLK));
    assert_eq!(
        (attributes.rdev.specdata1, attributes.rdev.specdata2),
        (8, 1)
    );
    let bad = MknodArgs {
        place: name(directory, "plain"),
        what: MknodWhat::Other(ftype3::NF3REG),
    };
    assert_eq!(
        status(&mut client, &bad).await,
        nfsstat3::NFS3ERR_BADTYPE as u32
    );

    let rename = RenameArgs {
        from: name(directory, "disk"),
        to: name(root, "moved"),
    };
    let renamed = RenameResult::from_bytes(&client.call(&rename).await)
        .unwrap()
        .unwrap();
    let inode = |wcc: nfs3::WccData| wcc.after.unwrap().fileid;
    assert_ne!(inode(renamed.from_directory), inode(renamed.to_directory));
    let rmdir = RmdirArgs {
        object: name(root, "directory"),
    };
    let refused = RmdirResult::from_bytes(&client.call(&rmdir).await)
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.status as u32, nfsstat3::NFS3ERR_NOTEMPTY as u32);
    assert!(
        refused.body.after.is_none(),
        "a failure that may be asked for again carries nothing that may be different then"
    );

    let up = LookupArgs {
        what: name(directory, ".."),
    };
    let looked = LookupResult::from_bytes(&client.call(&up).await)
        .unwrap()
        .unwrap();
    assert_eq!(looked.object, root);
    let missing = LookupArgs {
        what: name(directory, "missing"),
    };
    let failed = LookupResult::from_bytes(&client.call(&missing).await)
        .unwrap()
        .unwrap_err();
    assert_eq!(failed.status as u32, nfsstat3::NFS3ERR_NOENT as u32);
    assert!(failed.body.is_some());
}

#[tokio::test]
async fn attributes_are_set_under_their_guard() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let file = create(&mut client, root, "file").await;
    let object = file.object.unwrap();
    let set = |guard_ctime, nseconds| SetAttrArgs {
        object,
        attributes: SetAttributes {
            mode: Some(0o100_600),
            size: Some(10),
            mtime: nfs3::SetTime::ClientTime(nfstime3 {
                seconds: 9,
                nseconds,
            }),
            ..Default::default()
        },
        guard_ctime,
    };
    let wrong = set(
        Some(nfstime3 {
            seconds: 1,
            nseconds: 1,
        }),
        8,
    );
    assert_eq!(
        status(&mut client, &wrong).await,
        nfsstat3::NFS3ERR_NOT_SYNC as u32
    );
    let bad = set(None, 1_000_000_000);
    assert_eq!(
        status(&mut client, &bad).await,
        nfsstat3::NFS3ERR_INVAL as u32
    );
    let right = set(Some(file.attributes.unwrap().ctime), 8);
    let changed = SetAttrResult::from_bytes(&client.call(&right).await)
        .unwrap()
        .unwrap();
    let after = changed.after.unwrap();
    assert_eq!((after.mode, after.size), (0o600, 10));
    assert_eq!((after.mtime.seconds, after.mtime.nseconds), (9, 8));
    assert_eq!(changed.before.unwrap().size, 0);
}

#[tokio::test]
async fn what_the_server_says_of_itself() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let info = FsInfoResult::from_bytes(&client.call(&FsInfoArgs { root }).await)
        .unwrap()
        .unwrap();
    assert_eq!(
        (info.read_max, info.write_max, info.properties),
        (1 << 20, 1 << 20, 0x1b)
    );
    let space = FsStatResult::from_bytes(&client.call(&FsStatArgs { root }).await)
        .unwrap()
        .unwrap();
    assert_eq!(
        (space.total_bytes, space.free_bytes, space.available_bytes),
        (1000, 900, 800)
    );
    assert_eq!(
        (space.total_files, space.free_files, space.available_files),
        (70, 60, 69)
    );
    let results = client.call(&PathConfArgs { object: root }).await;
    let limits = PathConfResult::from_bytes(&results).unwrap().unwrap();
    assert_eq!(
        (
            limits.link_max,
            limits.name_max,
            limits.no_truncation,
            limits.case_preserving
        ),
        (sluice_types::LINK_COUNT_MAX, 255, true, true)
    );
    let asked = AccessArgs {
        object: root,
        access: 0x0f,
    };
    let granted = AccessResult::from_bytes(&client.call(&asked).await)
        .unwrap()
        .unwrap();
    assert_eq!(granted.access, 0x0f);
}

#[tokio::test]
async fn handles_that_are_not_ours() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let contents = HandleContents {
        export: ExportId::new(1),
        inode: InodeId::ROOT,
        generation: Generation::new(3),
    };
    let getattr = async |client: &mut Client, object| status(client, &GetAttrArgs { object }).await;
    let genuine = HandleMaker::new(&key(), FILE_SYSTEM).make(contents);
    assert_eq!(
        genuine, root,
        "any gateway with the key makes the same handle"
    );
    assert_eq!(getattr(&mut client, genuine).await, 0);
    let mut forged = genuine.as_bytes().to_vec();
    forged[20] ^= 1;
    for forged in [&forged[..], b"", &[0; 64], &genuine.as_bytes()[1..]] {
        let status = getattr(&mut client, FileHandle::new(forged).unwrap()).await;
        assert_eq!(status, nfsstat3::NFS3ERR_BADHANDLE as u32);
    }
    let foreign = HandleMaker::new(&key(), FileSystemId::new(78)).make(contents);
    assert_eq!(
        getattr(&mut client, foreign).await,
        nfsstat3::NFS3ERR_STALE as u32
    );
    let maker = HandleMaker::new(&key(), FILE_SYSTEM);
    let no_export = maker.make(HandleContents {
        export: ExportId::new(2),
        ..contents
    });
    assert_eq!(
        getattr(&mut client, no_export).await,
        nfsstat3::NFS3ERR_STALE as u32
    );
    let gone = maker.make(HandleContents {
        inode: InodeId::new(999).unwrap(),
        ..contents
    });
    assert_eq!(
        getattr(&mut client, gone).await,
        nfsstat3::NFS3ERR_STALE as u32
    );
}

#[tokio::test]
async fn names_that_no_file_can_have() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let long = "x".repeat(256);
    for (bad, expected) in [
        ("a/b", nfsstat3::NFS3ERR_INVAL),
        ("a\0b", nfsstat3::NFS3ERR_INVAL),
        ("", nfsstat3::NFS3ERR_INVAL),
        (&long[..], nfsstat3::NFS3ERR_NAMETOOLONG),
        ("..", nfsstat3::NFS3ERR_EXIST),
    ] {
        let how = CreateHow::Exclusive([1; 8]);
        let call = CreateArgs {
            place: name(root, bad),
            how,
        };
        assert_eq!(status(&mut client, &call).await, expected as u32, "{bad:?}");
    }
    let lookup = LookupArgs {
        what: name(root, &long),
    };
    let expected = nfsstat3::NFS3ERR_NAMETOOLONG as u32;
    assert_eq!(status(&mut client, &lookup).await, expected);
    let symlink = SymlinkArgs {
        place: name(root, "link"),
        attributes: SetAttributes::default(),
        target: Path::new(&[b'x'; 4096]).unwrap(),
    };
    assert_eq!(status(&mut client, &symlink).await, expected);
}

#[tokio::test]
async fn a_count_that_is_not_the_datas_length_is_invalid() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let file = create(&mut client, root, "file").await.object.unwrap();
    let write = WriteArgs {
        file,
        offset: 0,
        count: 6,
        stable: StableHow::Unstable,
        data: Opaque::new(b"hello"),
    };
    assert_eq!(
        status(&mut client, &write).await,
        nfsstat3::NFS3ERR_INVAL as u32
    );
}

#[tokio::test]
async fn not_now_is_said_as_such() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    for error in [FsError::Unavailable, FsError::Busy, FsError::SessionLapsed] {
        *served.files.failure.lock() = Some(error);
        let call = LookupArgs {
            what: name(root, "file"),
        };
        assert_eq!(
            status(&mut client, &call).await,
            nfsstat3::NFS3ERR_JUKEBOX as u32
        );
    }
}

/// The same call again has the same id, over whichever connection; another call another one.
#[tokio::test]
async fn calls_that_must_not_be_done_twice_carry_their_id() {
    let served = Served::start().await;
    let mut ids = Vec::new();
    let mut sent = Vec::new();
    for (machine, file) in [
        ("one", "same"),
        ("one", "same"),
        ("one", "other"),
        ("two", "same"),
    ] {
        let mut client = served.client().await;
        client.credential = support::machine(machine, 0);
        let root = client.mount("/").await;
        let remove = RemoveArgs {
            object: name(root, file),
        };
        sent.push(client.send(&remove).await);
        client.answer().await;
        let callers = served.files.callers.lock();
        let ids_now = callers
            .iter()
            .rev()
            .filter_map(|caller| caller.call.clone());
        ids.extend(ids_now.take(1));
    }
    assert!(
        sent.iter().all(|xid| *xid == sent[0]),
        "the same xid each time"
    );
    assert_eq!(ids.len(), 4);
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[3]);
    assert_eq!(&ids[0].client[..], b"one@127.0.0.1");
    assert_eq!(ids[0].procedure, 12);
}

#[tokio::test]
async fn a_megabyte_goes_in_and_out() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let file = create(&mut client, root, "file").await.object.unwrap();
    let data: Vec<u8> = (0..1_u32 << 20).map(|byte| (byte % 251) as u8).collect();
    for length in [1, 1023, 1025, 4097, 65_537, 1 << 20] {
        let data = &data[..length];
        let write = WriteArgs {
            file,
            offset: 0,
            count: length as u32,
            stable: StableHow::Unstable,
            data: Opaque::new(data),
        };
        let written = WriteResult::from_bytes(&client.call(&write).await)
            .unwrap()
            .unwrap();
        assert_eq!(written.count as usize, length);
        let results = client
            .call(&ReadArgs {
                file,
                offset: 0,
                count: 1 << 20,
            })
            .await;
        let read = ReadResult::from_bytes(&results).unwrap().unwrap();
        assert_eq!(&read.data.bytes()[..length], data);
    }
}
