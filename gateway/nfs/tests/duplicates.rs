//! Calls that come again while they are in work.

mod support;

use std::time::Duration;

use sluice_proto_nfs::nfs3::{
    CreateArgs, CreateHow, CreateResult, FileHandle, RemoveArgs, RemoveResult, SetAttributes,
    StableHow, WriteArgs, WriteResult,
};
use sluice_proto_nfs::rpc::{Credential, RemoteCall, encode_call};
use sluice_proto_nfs::xdr::{Decode, Opaque};
use support::{Client, GATED_NAME, GATED_OFFSET, Served, eventually, machine, name};

async fn create(client: &mut Client, file: &str) -> (FileHandle, FileHandle) {
    let root = client.mount("/").await;
    let call = CreateArgs {
        place: name(root, file),
        how: CreateHow::Guarded(SetAttributes::default()),
    };
    let results = client.call(&call).await;
    let created = CreateResult::from_bytes(&results).unwrap().unwrap();
    (root, created.object.unwrap())
}

async fn send_as<C: RemoteCall>(
    client: &mut Client,
    credential: Credential<'_>,
    xid: u32,
    call: &C,
) {
    client
        .send_record(&encode_call(xid, credential, call))
        .await;
}

async fn is_removed(client: &mut Client, xid: u32) -> bool {
    let (answered, _, results) = client.answer().await;
    assert_eq!(answered, xid);
    RemoveResult::from_bytes(&results).unwrap().is_ok()
}

#[tokio::test]
async fn a_call_that_comes_again_gets_the_first_ones_reply() {
    let served = Served::start().await;
    let mut first = served.client().await;
    let (root, _) = create(&mut first, GATED_NAME).await;
    let mut again = served.client().await;
    let remove = RemoveArgs {
        object: name(root, GATED_NAME),
    };
    for client in [&mut first, &mut again] {
        for _ in 0..2 {
            send_as(client, machine("one", 0), 7, &remove).await;
        }
    }
    eventually("the first in work", || served.files.gated() == 1).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(served.files.gated(), 1, "the others wait for it");
    served.files.open_gate(1);
    for client in [&mut first, &mut again] {
        for _ in 0..2 {
            assert!(is_removed(client, 7).await);
        }
    }
    assert_eq!(served.files.gated(), 1);
}

#[tokio::test]
async fn a_client_that_comes_back_gets_the_reply_of_its_lost_connection() {
    let served = Served::start().await;
    let mut lost = served.client().await;
    let (_, file) = create(&mut lost, "file").await;
    let data = [7; 5000];
    let write = WriteArgs {
        file,
        offset: GATED_OFFSET,
        count: 5000,
        stable: StableHow::Unstable,
        data: Opaque::new(&data),
    };
    send_as(&mut lost, machine("one", 0), 7, &write).await;
    eventually("the write in work", || served.files.gated() == 1).await;
    drop(lost);
    let mut back = served.client().await;
    send_as(&mut back, machine("one", 0), 7, &write).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    served.files.open_gate(1);
    let (_, _, results) = back.answer().await;
    let written = WriteResult::from_bytes(&results).unwrap().unwrap();
    assert_eq!(written.count, 5000);
    assert_eq!(served.files.gated(), 1, "written once");
}

#[tokio::test]
async fn what_only_looks_like_it_is_a_call_of_its_own() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let (root, file) = create(&mut client, GATED_NAME).await;
    let remove = RemoveArgs {
        object: name(root, GATED_NAME),
    };
    send_as(&mut client, machine("one", 0), 7, &remove).await;
    send_as(&mut client, machine("one", 0), 8, &remove).await;
    send_as(&mut client, machine("two", 0), 7, &remove).await;
    send_as(&mut client, machine("one", 1), 7, &remove).await;
    for byte in [b"0", b"1"] {
        let write = WriteArgs {
            file,
            offset: GATED_OFFSET,
            count: 1,
            stable: StableHow::Unstable,
            data: Opaque::new(byte),
        };
        send_as(&mut client, machine("one", 0), 7, &write).await;
    }
    eventually("all in work", || served.files.gated() == 6).await;
    served.files.open_gate(6);
    for _ in 0..6 {
        client.answer().await;
    }
}
