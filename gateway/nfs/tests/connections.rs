//! The connection itself: order, limits, bad streams, the end.

mod support;

use std::time::Duration;

use sluice_gateway_nfs::Limits;
use sluice_proto_nfs::nfs3::{
    CreateArgs, CreateHow, CreateResult, FileHandle, GetAttrArgs, ReadArgs, SetAttributes,
    StableHow, WriteArgs, WriteResult,
};
use sluice_proto_nfs::rpc::{ReplyStatus, encode_call, record_marker};
use sluice_proto_nfs::xdr::{Decode, Opaque};
use support::{Client, GATED_OFFSET, Served, eventually, name, root_user};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A gateway with these limits, a client of it, and a file that the client made.
async fn with_file(limits: Limits) -> (Served, Client, FileHandle) {
    let served = Served::with_limits(limits).await;
    let mut client = served.client().await;
    let root = client.mount("/").await;
    let place = name(root, "file");
    let how = CreateHow::Unchecked(SetAttributes::default());
    let results = client.call(&CreateArgs { place, how }).await;
    let made = CreateResult::from_bytes(&results).unwrap().unwrap();
    (served, client, made.object.unwrap())
}

/// A read that waits until the test lets it go.
const fn gated(file: FileHandle) -> ReadArgs {
    ReadArgs {
        file,
        offset: GATED_OFFSET,
        count: 10,
    }
}

/// The same, with the largest reply there is.
const fn gated_large(file: FileHandle) -> ReadArgs {
    ReadArgs {
        count: 1 << 20,
        ..gated(file)
    }
}

/// Fills the file with as much as one READ can ask for.
async fn fill(client: &mut Client, file: FileHandle) {
    let data = vec![7; 1 << 20];
    let write = WriteArgs {
        file,
        offset: 0,
        count: 1 << 20,
        stable: StableHow::Unstable,
        data: Opaque::new(&data),
    };
    client.call(&write).await;
}

#[tokio::test]
async fn a_slow_call_holds_up_no_other() {
    let (served, mut client, file) = with_file(Limits::default()).await;
    let slow = client.send(&gated(file)).await;
    let mut quick = Vec::new();
    for _ in 0..50 {
        quick.push(client.send(&GetAttrArgs { object: file }).await);
    }
    let mut answered = Vec::new();
    for _ in 0..50 {
        answered.push(client.answer().await.0);
    }
    answered.sort_unstable();
    assert_eq!(answered, quick);
    served.files.open_gate(1);
    assert_eq!(client.answer().await.0, slow);
}

#[tokio::test]
async fn calls_over_the_limit_wait_in_the_socket() {
    let limits = Limits {
        calls_per_connection_max: 2,
        ..Limits::default()
    };
    let (served, mut client, file) = with_file(limits).await;
    for _ in 0..5 {
        client.send(&gated(file)).await;
    }
    eventually("two calls in work", || served.files.gated() == 2).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(served.files.gated(), 2);
    let mut other = served.client().await;
    other.call(&GetAttrArgs { object: file }).await;
    served.files.open_gate(5);
    for _ in 0..5 {
        client.answer().await;
    }
    assert_eq!(served.files.gated(), 5);
}

#[tokio::test]
async fn bytes_over_the_limit_wait_and_are_given_back() {
    let limits = Limits {
        // Raised to what one transfer needs: two large reads cannot be in work at once.
        bytes_in_flight_max: 1,
        bytes_per_connection_max: 1,
        ..Limits::default()
    };
    let (served, mut client, file) = with_file(limits).await;
    for _ in 0..3 {
        client.send(&gated_large(file)).await;
    }
    for read in 1..=3 {
        eventually("a read in work", || served.files.gated() == read).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(served.files.gated(), read);
        served.files.open_gate(1);
        client.answer().await;
    }
}

#[tokio::test]
async fn small_reads_go_on_while_large_ones_have_all_bytes() {
    let limits = Limits {
        bytes_in_flight_max: 1,
        ..Limits::default()
    };
    let (served, mut client, file) = with_file(limits).await;
    for _ in 0..2 {
        client.send(&gated_large(file)).await;
    }
    eventually("the bytes in use", || served.files.gated() == 1).await;
    let small = ReadArgs {
        file,
        offset: 0,
        count: 4096,
    };
    let mut other = served.client().await;
    timeout(Duration::from_secs(2), other.call(&small))
        .await
        .expect("served meanwhile");
}

#[tokio::test]
async fn a_claimed_record_of_two_gigabytes_ends_the_connection_only() {
    let served = Served::start().await;
    let mut good = served.client().await;
    for marker in [[0xff; 4], [0x7f, 0xff, 0xff, 0xff], [0x80, 0x20, 0, 0]] {
        let mut bad = served.client().await;
        bad.send_bytes(&marker).await;
        assert!(bad.is_closed().await);
    }
    good.mount("/").await;
}

#[tokio::test]
async fn records_that_are_no_calls_end_the_connection_only() {
    let served = Served::start().await;
    let mut good = served.client().await;
    for record in [
        &b""[..],
        b"123",
        &[0; 3],
        &[0, 0, 0, 1, 0, 0, 0, 1],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut bad = served.client().await;
        bad.send_record(record).await;
        assert!(bad.is_closed().await, "{record:?}");
    }
    good.mount("/").await;
}

#[tokio::test]
async fn a_half_record_is_not_waited_for_for_ever() {
    let limits = Limits {
        stall_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let served = Served::with_limits(limits).await;
    let mut idle = served.client().await;
    for half in [
        &[0x80, 0][..],
        &[0x80, 0, 0, 100],
        &[0x80, 0x10, 0, 0, 1, 2, 3],
    ] {
        let mut stalled = served.client().await;
        stalled.send_bytes(half).await;
        assert!(stalled.is_closed().await, "{half:?}");
    }
    idle.mount("/").await;
}

#[tokio::test]
async fn a_record_that_comes_byte_by_byte_is_not_waited_for_for_ever() {
    let limits = Limits {
        stall_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let served = Served::with_limits(limits).await;
    let mut slow = served.client().await;
    slow.send_bytes(&[0x80, 0x10, 0, 0]).await;
    let trickle = async {
        use tokio::io::AsyncWriteExt as _;
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if slow.stream.write_all(&[0]).await.is_err() {
                return true;
            }
        }
        false
    };
    assert!(trickle.await, "a byte now and then kept the connection");
}

/// Fragments that each come whole are charged for, too: not only those that a marker announced and did not bring.
#[tokio::test]
async fn a_record_in_whole_fragments_waits_for_its_bytes() {
    let limits = Limits {
        bytes_in_flight_max: 1,
        ..Limits::default()
    };
    let (served, mut other, file) = with_file(limits).await;
    other.send(&gated_large(file)).await;
    eventually("the bytes in use", || served.files.gated() == 1).await;
    let mut client = served.client().await;
    let record = encode_call(1, root_user(), &GetAttrArgs { object: file });
    let (head, tail) = record.split_at(40);
    for (piece, last) in [(head, 0), (tail, 1 << 31)] {
        let marker = (piece.len() as u32 | last).to_be_bytes();
        client.send_bytes(&[&marker, piece].concat()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let early = timeout(Duration::from_millis(50), client.answer()).await;
    assert!(early.is_err(), "it waits for bytes");
    served.files.open_gate(1);
    assert_eq!(client.answer().await.0, 1);
}

#[tokio::test]
async fn a_client_that_takes_no_replies_is_disconnected() {
    let limits = Limits {
        stall_timeout: Duration::from_millis(200),
        ..Limits::default()
    };
    let (served, mut client, file) = with_file(limits).await;
    fill(&mut client, file).await;
    // More than all socket buffers together hold.
    for _ in 0..100 {
        client
            .send(&ReadArgs {
                file,
                offset: 0,
                count: 1 << 20,
            })
            .await;
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    let mut replies = 0;
    while client.reply().await.is_some() {
        replies += 1;
    }
    assert!(replies < 100, "the connection outlived the timeout");
    served.client().await.mount("/").await;
}

#[tokio::test]
async fn records_in_fragments_and_single_bytes() {
    let (_served, mut client, file) = with_file(Limits::default()).await;
    let data = vec![5; 40_000];
    let write = WriteArgs {
        file,
        offset: 0,
        count: 40_000,
        stable: StableHow::FileSync,
        data: Opaque::new(&data),
    };
    let record = encode_call(1, root_user(), &write);
    let mut stream = Vec::new();
    for (index, piece) in record.chunks(9000).enumerate() {
        let is_last = (index + 1) * 9000 >= record.len();
        let marker = piece.len() as u32 | u32::from(is_last) << 31;
        stream.extend_from_slice(&marker.to_be_bytes());
        stream.extend_from_slice(piece);
    }
    for piece in stream.chunks(777) {
        client.send_bytes(piece).await;
        tokio::task::yield_now().await;
    }
    let (xid, _, results) = client.answer().await;
    assert_eq!(xid, 1);
    let written = WriteResult::from_bytes(&results).unwrap().unwrap();
    assert_eq!(
        (written.count, written.wcc.after.unwrap().size),
        (40_000, 40_000)
    );
    let record = encode_call(2, root_user(), &GetAttrArgs { object: file });
    let marker = record_marker(record.len()).unwrap();
    for byte in [&marker[..], &record].concat() {
        client.send_bytes(&[byte]).await;
    }
    assert_eq!(client.answer().await.0, 2);
}

#[tokio::test]
async fn many_calls_in_one_segment() {
    let (_served, mut client, file) = with_file(Limits::default()).await;
    let mut stream = Vec::new();
    for xid in 0..200 {
        let record = encode_call(xid, root_user(), &GetAttrArgs { object: file });
        stream.extend_from_slice(&record_marker(record.len()).unwrap());
        stream.extend_from_slice(&record);
    }
    client.send_bytes(&stream).await;
    let mut answered = Vec::new();
    for _ in 0..200 {
        answered.push(client.answer().await.0);
    }
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..200));
}

#[tokio::test]
async fn connections_over_the_limit_are_closed() {
    let limits = Limits {
        connections_max: 2,
        ..Limits::default()
    };
    let served = Served::with_limits(limits).await;
    let mut first = served.client().await;
    first.mount("/").await;
    let mut second = served.client().await;
    second.mount("/").await;
    assert!(served.client().await.is_closed().await);
    drop(second);
    let mut again = None;
    for _ in 0..100 {
        let mut third = served.client().await;
        third.send_numbers(100_003, 3, 0, &[]).await;
        if third.reply().await.is_some() {
            again = Some(third);
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(again.is_some(), "a place that was left is given to another");
    first.mount("/").await;
}

#[tokio::test]
async fn shutdown_answers_what_is_in_work() {
    let (served, mut client, file) = with_file(Limits::default()).await;
    let sent = client.send(&gated(file)).await;
    eventually("the call in work", || served.files.gated() == 1).await;
    let shutdown = served.gateway.shutdown(Duration::from_secs(5));
    tokio::pin!(shutdown);
    let early = timeout(Duration::from_millis(100), &mut shutdown).await;
    assert!(early.is_err(), "it waits for the call");
    served.files.open_gate(1);
    assert!(shutdown.await);
    assert_eq!(client.answer().await.0, sent);
    assert!(client.is_closed().await);
    assert!(TcpStream::connect(served.gateway.address()).await.is_err());
}

/// A socket that is closed with calls in it that were not read is reset, and forgets what it still had to send.
#[tokio::test]
async fn shutdown_loses_no_reply_for_calls_that_it_does_not_take() {
    let limits = Limits {
        calls_per_connection_max: 1,
        ..Limits::default()
    };
    let (served, mut client, file) = with_file(limits).await;
    fill(&mut client, file).await;
    let sent = client.send(&gated_large(file)).await;
    eventually("the read in work", || served.files.gated() == 1).await;
    for _ in 0..200 {
        client.send(&GetAttrArgs { object: file }).await;
    }
    let shutdown = served.gateway.shutdown(Duration::from_secs(5));
    let reading = async {
        served.files.open_gate(1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.answer().await
    };
    let (drained, (xid, _, results)) = tokio::join!(shutdown, reading);
    assert!(drained);
    assert_eq!(xid, sent);
    assert!(results.len() > 1 << 20);
}

#[tokio::test]
async fn shutdown_does_not_wait_for_ever() {
    let (served, mut client, file) = with_file(Limits::default()).await;
    client.send(&gated(file)).await;
    eventually("the call in work", || served.files.gated() == 1).await;
    assert!(!served.gateway.shutdown(Duration::from_millis(50)).await);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn dropped_connections_end_and_new_ones_are_served() {
    let (served, mut client, file) = with_file(Limits::default()).await;
    client.send(&gated(file)).await;
    eventually("the call in work", || served.files.gated() == 1).await;
    served.gateway.drop_connections();
    assert!(client.is_closed().await);
    served.client().await.mount("/").await;
}

#[tokio::test]
async fn garbage_after_arguments_is_garbage() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let garbage = ReplyStatus::GarbageArguments;
    assert_eq!(client.status(100_003, 3, 1, &[]).await, garbage);
    assert_eq!(client.status(100_003, 3, 1, &[0, 0, 0, 65]).await, garbage);
    assert_eq!(
        client.status(100_003, 3, 1, &[0, 0, 0, 0, 0]).await,
        garbage
    );
    assert_eq!(
        client.status(100_003, 3, 0, &[]).await,
        ReplyStatus::Success
    );
}
