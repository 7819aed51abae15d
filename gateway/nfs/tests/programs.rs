//! MOUNT, NLM, NSM, and what is answered to calls of programs and versions that are not here.

mod support;

use std::net::{Ipv4Addr, SocketAddr};

use sluice_gateway_nfs::{NfsConfig, NfsError};
use sluice_proto_nfs::mount::{
    DirectoryPath, ExportArgs, ExportResult, MountArgs, MountListResult, MountResult, MountStatus,
    UmountArgs,
};
use sluice_proto_nfs::nfs3::{
    AccessArgs, AccessResult, GetAttrArgs, LookupArgs, LookupResult, MkdirArgs, MkdirResult,
    ReaddirArgs, ReaddirResult, RemoveArgs, RemoveResult, SetAttributes, nfsstat3,
};
use sluice_proto_nfs::rpc::{Credential, Program, ReplyStatus};
use sluice_proto_nfs::xdr::Decode;
use sluice_types::ExportId;
use sluice_vfs::{Export, Exports, Squash};
use support::{Client, Served, config, datagram, datagram_program, name};
use tokio::net::TcpListener;

const fn path(path: &str) -> DirectoryPath<'_> {
    match DirectoryPath::new(path.as_bytes()) {
        Ok(path) => path,
        Err(_) => panic!("too long"),
    }
}

async fn mkdir(client: &mut Client, parent: &str, child: &str) {
    let parent = client.mount(parent).await;
    let call = MkdirArgs {
        place: name(parent, child),
        attributes: SetAttributes::default(),
    };
    MkdirResult::from_bytes(&client.call(&call).await)
        .unwrap()
        .unwrap();
}

async fn try_mount(client: &mut Client, directory: &str) -> Result<(), MountStatus> {
    let arguments = MountArgs {
        path: path(directory),
    };
    let result = MountResult::from_bytes(&client.call(&arguments).await).unwrap();
    result.map(|mounted| assert_eq!(*mounted.auth_flavors, [1, 0]))
}

#[tokio::test]
async fn any_directory_of_an_export_can_be_mounted() {
    let served = Served::start().await;
    let mut client = served.client().await;
    mkdir(&mut client, "/", "a").await;
    mkdir(&mut client, "/a", "b").await;
    assert_eq!(try_mount(&mut client, "/a/b").await, Ok(()));
    assert_eq!(try_mount(&mut client, "/a/b/").await, Ok(()));
    assert_eq!(
        try_mount(&mut client, "/a/c").await,
        Err(MountStatus::NotFound)
    );
    assert_eq!(try_mount(&mut client, "a").await, Err(MountStatus::Invalid));
    let results = client.call(&sluice_proto_nfs::mount::DumpArgs {}).await;
    let list = MountListResult::from_bytes(&results).unwrap();
    let mounts: Vec<_> = list
        .mounts
        .iter()
        .map(|mount| mount.directory.to_vec())
        .collect();
    assert_eq!(mounts, [&b"/"[..], b"/a", b"/a/b"]);
    client.call(&UmountArgs { path: path("/a/") }).await;
    let results = client.call(&sluice_proto_nfs::mount::DumpArgs {}).await;
    let list = MountListResult::from_bytes(&results).unwrap();
    assert_eq!(list.mounts.iter().count(), 2);
    assert!(
        list.mounts
            .iter()
            .all(|mount| mount.host.bytes() == b"127.0.0.1")
    );
}

/// What a client may make a gateway answer is short, and nobody is told of another's mounts.
#[tokio::test]
async fn a_dump_is_short_and_of_the_askers_own_mounts() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let mut parent = String::from("/");
    for depth in 0..4 {
        let child = format!("{}{depth}", "n".repeat(200));
        mkdir(&mut client, &parent, &child).await;
        parent = format!("{}/{child}", parent.trim_end_matches('/'));
        for number in 0..8 {
            let child = format!("{}{depth}{number}", "m".repeat(200));
            mkdir(&mut client, &parent, &child).await;
            assert_eq!(
                try_mount(&mut client, &format!("{parent}/{child}")).await,
                Ok(())
            );
        }
    }
    // As it was sent it would be kept as another one.
    let padded = format!("{}{parent}", "/".repeat(100));
    assert_eq!(try_mount(&mut client, &padded).await, Ok(()));
    let dump = sluice_proto_nfs::mount::DumpArgs {};
    let (_, over_udp) = datagram(served.gateway.address(), &dump).await;
    let over_tcp = client.call(&dump).await;
    assert_eq!(over_tcp, over_udp);
    assert!(over_tcp.len() <= 4096, "{} bytes", over_tcp.len());
    let list = MountListResult::from_bytes(&over_tcp).unwrap();
    assert!(list.mounts.iter().count() > 3);
    assert!(
        list.mounts
            .iter()
            .all(|mount| !mount.directory.starts_with(b"//"))
    );
    let mut other = Client::connect_from([127, 0, 0, 2].into(), served.gateway.address()).await;
    let list = other.call(&dump).await;
    let list = MountListResult::from_bytes(&list).unwrap();
    assert_eq!(list.mounts.iter().count(), 0);
}

fn exports() -> Vec<Export> {
    let export = |id, path: &str, network: &str| Export {
        id: ExportId::new(id),
        path: path.as_bytes().to_vec(),
        networks: vec![network.parse().unwrap()],
        ..Export::default()
    };
    vec![
        Export {
            networks: Vec::new(),
            ..export(1, "/", "0.0.0.0/0")
        },
        export(2, "/theirs", "10.0.0.0/8"),
        Export {
            read_only: true,
            squash: Squash::Root,
            ..export(3, "/safe", "127.0.0.0/8")
        },
    ]
}

#[tokio::test]
async fn exports_say_who_may_do_what() {
    let served = Served::with_exports(exports()[1..].to_vec()).await;
    let mut client = served.client().await;
    let denied = Err(MountStatus::AccessDenied);
    assert_eq!(try_mount(&mut client, "/").await, denied);
    assert_eq!(try_mount(&mut client, "/theirs").await, denied);
    let results = client.call(&ExportArgs {}).await;
    let list = ExportResult::from_bytes(&results).unwrap();
    let listed: Vec<_> = list
        .exports
        .iter()
        .map(|export| export.directory.to_vec())
        .collect();
    assert_eq!(listed, [b"/safe"]);
    let groups = list.exports.iter().next().unwrap().groups;
    assert_eq!(groups.iter().next().unwrap().bytes(), b"127.0.0.0/8");
}

#[tokio::test]
async fn nothing_changes_through_a_read_only_export_and_nothing_above_it_shows() {
    let served = Served::with_exports(exports()).await;
    let mut client = served.client().await;
    mkdir(&mut client, "/", "safe").await;
    mkdir(&mut client, "/", "beside").await;
    let safe = client.mount("/safe").await;
    let remove = RemoveArgs {
        object: name(safe, "x"),
    };
    let refused = RemoveResult::from_bytes(&client.call(&remove).await)
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.status as u32, nfsstat3::NFS3ERR_ROFS as u32);
    let access = AccessArgs {
        object: safe,
        access: 0x3f,
    };
    let granted = AccessResult::from_bytes(&client.call(&access).await)
        .unwrap()
        .unwrap();
    assert_eq!(granted.access, 0x03);
    let caller = served.files.callers.lock().last().unwrap().clone();
    assert_eq!(caller.credentials.uid, 65_534, "root is squashed");

    let up = LookupArgs {
        what: name(safe, ".."),
    };
    let looked = LookupResult::from_bytes(&client.call(&up).await)
        .unwrap()
        .unwrap();
    assert_eq!(looked.object, safe);
    let call = ReaddirArgs {
        directory: safe,
        cookie: 0,
        cookie_verifier: [0; 8],
        count: 4096,
    };
    let results = client.call(&call).await;
    let page = ReaddirResult::from_bytes(&results).unwrap().unwrap();
    let ids: Vec<_> = page.entries.iter().map(|entry| entry.file_id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(
        ids[0], ids[1],
        "the parent of an export's root is the root itself"
    );
}

#[tokio::test]
async fn a_caller_without_identity_is_nobody() {
    let served = Served::start().await;
    let mut client = served.client().await;
    client.credential = Credential::None;
    let root = client.mount("/").await;
    client.call(&GetAttrArgs { object: root }).await;
    let caller = served.files.callers.lock().last().unwrap().clone();
    assert_eq!(
        (caller.credentials.uid, caller.credentials.gid),
        (65_534, 65_534)
    );
}

#[tokio::test]
async fn what_is_not_here_is_said_so() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let mismatch = |version| ReplyStatus::ProgramMismatch {
        low: version,
        high: version,
    };
    assert_eq!(client.status(100_003, 4, 0, &[]).await, mismatch(3));
    assert_eq!(client.status(100_003, 2, 1, &[]).await, mismatch(3));
    assert_eq!(client.status(100_005, 1, 0, &[]).await, mismatch(3));
    assert_eq!(client.status(100_021, 3, 0, &[]).await, mismatch(4));
    assert_eq!(
        client.status(100_227, 3, 0, &[]).await,
        ReplyStatus::ProgramUnavailable
    );
    for (program, version, procedure) in [
        (100_003, 3, 22),
        (100_005, 3, 6),
        (100_021, 4, 17),
        (100_024, 1, 7),
        (100_000, 2, 5),
    ] {
        let status = client.status(program, version, procedure, &[]).await;
        assert_eq!(status, ReplyStatus::ProcedureUnavailable, "{program}");
    }
    for program in Program::ALL {
        let status = client
            .status(program.number(), program.version(), 0, &[])
            .await;
        assert_eq!(status, ReplyStatus::Success, "{}", program.name());
    }
}

#[tokio::test]
async fn datagrams_are_served_but_not_for_nfs() {
    let served = Served::start().await;
    let port = served.gateway.address();
    let (status, results) = datagram(port, &MountArgs { path: path("/") }).await;
    assert_eq!(status, ReplyStatus::Success);
    let root = MountResult::from_bytes(&results).unwrap().unwrap().handle;
    assert_eq!(
        datagram_program(port, 100_003, 3, 0).await,
        ReplyStatus::Success
    );
    let (status, _) = datagram(port, &GetAttrArgs { object: root }).await;
    assert_eq!(status, ReplyStatus::ProcedureUnavailable);
    let mismatch = ReplyStatus::ProgramMismatch { low: 3, high: 3 };
    assert_eq!(datagram_program(port, 100_003, 4, 0).await, mismatch);
    // Oversized and senseless ones are dropped, and the next is served.
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&[0; 20_000], port).await.unwrap();
    socket.send_to(b"nonsense", port).await.unwrap();
    assert_eq!(
        datagram_program(port, 100_005, 3, 0).await,
        ReplyStatus::Success
    );
}

/// A client takes an answer only from the address that it asked.
#[tokio::test]
async fn datagrams_are_answered_from_the_address_they_were_sent_to() {
    let mut config = config();
    config.listen = Ipv4Addr::UNSPECIFIED.into();
    let served = Served::with_config(config, Exports::default()).await;
    let call = MountArgs { path: path("/") };
    for last in [1, 2, 77] {
        let asked = Ipv4Addr::new(127, 0, 0, last);
        let port = served.gateway.address().port();
        let (status, results) = datagram((asked, port).into(), &call).await;
        assert_eq!(status, ReplyStatus::Success);
        assert!(MountResult::from_bytes(&results).unwrap().is_ok());
    }
}

/// The same over a socket that takes both families, whose IPv4 clients are the ones that exports name.
#[tokio::test]
async fn datagrams_to_a_socket_of_both_families_are_answered_from_there() {
    let mut config = config();
    config.listen = std::net::Ipv6Addr::UNSPECIFIED.into();
    let served = Served::with_config(config, Exports::default()).await;
    let call = MountArgs { path: path("/") };
    let port = served.gateway.address().port();
    let asked = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port));
    assert_eq!(datagram(asked, &call).await.0, ReplyStatus::Success);
    let mut client = Client::connect(asked).await;
    let results = client.call(&sluice_proto_nfs::mount::DumpArgs {}).await;
    let list = MountListResult::from_bytes(&results).unwrap();
    let hosts: Vec<_> = list.mounts.iter().map(|mount| mount.host).collect();
    assert_eq!(&*hosts[0], b"127.0.0.1");
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let config = NfsConfig {
        port: address.port(),
        ..config()
    };
    let files = std::sync::Arc::new(support::MemoryFiles::new());
    let started = sluice_gateway_nfs::Gateway::start(
        config,
        files,
        std::sync::Arc::new(Exports::default()),
        support::FILE_SYSTEM,
        std::sync::Arc::new(sluice_types::SystemClock::new()),
    );
    match started.await {
        Err(NfsError::Listen { address: named, .. }) => assert_eq!(named, address),
        other => panic!("{other:?}"),
    }
}
