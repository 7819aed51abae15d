use std::io;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sluice_types::{SystemClock, SystemRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

use super::message::Message;
use super::*;

/// Longer than anything takes here that is not meant to wait.
const PATIENCE: Duration = Duration::from_secs(10);

fn links(secret: u8) -> Links {
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    Links::keyed(LinkKey::derive(&[secret; 16]), clock, rng)
}

fn member(secret: u8) -> Member {
    match links(secret) {
        Links::Keyed(member) => member,
        Links::Open => unreachable!("it was made with a key"),
    }
}

/// What both ends of a connection get out of the exchange, and the connection.
async fn meet(
    (asker, wanted): (Member, LinkService),
    (accepter, served): (Member, LinkService),
) -> (
    Result<(), LinkError>,
    Result<(), LinkError>,
    [DuplexStream; 2],
) {
    let (mut here, mut there) = duplex(1 << 10);
    let asking = async { (asker.ask(&mut here, wanted).await, here) };
    let accepting = async { (accepter.accept(&mut there, served).await, there) };
    let ((asked, here), (accepted, there)) = tokio::join!(asking, accepting);
    (asked, accepted, [here, there])
}

#[tokio::test]
async fn two_members_meet_and_what_they_say_then_is_untouched() {
    let of = |service| (member(7), service);
    let (asked, accepted, [mut here, mut there]) =
        meet(of(LinkService::Storage), of(LinkService::Storage)).await;
    assert_eq!((asked, accepted), (Ok(()), Ok(())));
    here.write_all(b"request").await.unwrap();
    drop(here);
    let mut said = Vec::new();
    there.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, b"request");
}

#[tokio::test]
async fn another_key_is_told_to_both() {
    let (wanted, served) = (LinkService::Metadata, LinkService::Metadata);
    let (asked, accepted, _) = meet((member(1), wanted), (member(2), served)).await;
    assert_eq!(asked, Err(LinkError::OtherKey));
    assert_eq!(accepted, Err(LinkError::OtherKey));
}

#[tokio::test]
async fn the_wrong_port_is_told_to_both() {
    let (wanted, served) = (LinkService::Metadata, LinkService::Storage);
    let (asked, accepted, _) = meet((member(1), wanted), (member(1), served)).await;
    let wrong = |expected, found| Err(LinkError::OtherService { expected, found });
    assert_eq!(accepted, wrong(served, wanted));
    assert_eq!(asked, wrong(wanted, served));
}

/// What an accepter makes of these bytes, and all that it said.
async fn say(bytes: &[u8]) -> (Result<(), LinkError>, Vec<u8>) {
    let (mut here, mut there) = duplex(1 << 10);
    here.write_all(bytes).await.unwrap();
    here.shutdown().await.unwrap();
    let accepted = member(1).accept(&mut there, LinkService::Metadata).await;
    drop(there);
    let mut said = Vec::new();
    here.read_to_end(&mut said).await.unwrap();
    (accepted, said)
}

#[tokio::test]
async fn strangers_are_recognised_at_once_and_told_nothing() {
    let plain_grpc = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for said in [&plain_grpc[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 4096]] {
        let said = &said[..said.len().min(1 << 10)];
        assert_eq!(say(said).await, (Err(LinkError::NoProof), Vec::new()));
    }
    for cut in [&b""[..], b"SLnk", b"SLnk\x01\x01\x01\x20nonce"] {
        assert_eq!(say(cut).await, (Err(LinkError::Closed), Vec::new()));
    }
    // A message that cannot come first.
    let proof = Message::Proof { proof: [0; 32] }.encode(LinkService::Metadata);
    assert_eq!(say(&proof).await, (Err(LinkError::NoProof), Vec::new()));
}

#[tokio::test]
async fn another_version_is_read_to_its_end_and_refused_in_words() {
    let later = [&b"SLnk\x09\x01\x01\xc8"[..], &[0; 200]].concat();
    let (accepted, said) = say(&later).await;
    assert_eq!(accepted, Err(LinkError::OtherVersion { found: 9 }));
    assert_eq!(said, b"SLnk\x01\x04\x01\x01\x02");
}

#[tokio::test]
async fn an_asker_sees_through_those_who_cannot_prove() {
    // What a gRPC server without links says first; a server that closes; the asker's own Hello, played back.
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    for (said, error) in [
        (Some(&settings[..]), LinkError::NoProof),
        (Some(&[]), LinkError::Closed),
        (None, LinkError::NoProof),
    ] {
        let (mut here, mut there) = duplex(1 << 10);
        let answer = async {
            let mut hello = [0; 40];
            there.read_exact(&mut hello).await.unwrap();
            there.write_all(said.unwrap_or(&hello)).await.unwrap();
            drop(there);
        };
        let member = member(1);
        let asking = member.ask(&mut here, LinkService::Storage);
        let (asked, ()) = tokio::join!(asking, answer);
        assert_eq!(asked, Err(error));
    }
}

/// A proof that was heard is of no use on another connection, nor when it is given back to who made it.
#[tokio::test]
async fn what_was_heard_cannot_be_played_back() {
    let (mut here, mut there) = duplex(1 << 10);
    let (mut there_too, mut server) = duplex(1 << 10);
    let (asker, accepter) = (member(3), member(3));
    let mut heard = Vec::new();
    let listen = async {
        let mut hello = [0; 40];
        there.read_exact(&mut hello).await.unwrap();
        there_too.write_all(&hello).await.unwrap();
        let mut challenge = [0; 72];
        there_too.read_exact(&mut challenge).await.unwrap();
        there.write_all(&challenge).await.unwrap();
        let mut proof = [0; 40];
        there.read_exact(&mut proof).await.unwrap();
        there_too.write_all(&proof).await.unwrap();
        heard = [&hello[..], &proof].concat();
    };
    let (service, met) = (LinkService::Metadata, (Ok(()), Ok(())));
    let asking = asker.ask(&mut here, service);
    let accepting = accepter.accept(&mut server, service);
    let (asked, accepted, ()) = tokio::join!(asking, accepting, listen);
    assert_eq!((asked, accepted), met, "who only passes it on is not seen");

    let (mut again, mut server) = duplex(1 << 10);
    again.write_all(&heard).await.unwrap();
    let accepted = member(3).accept(&mut server, service).await;
    assert_eq!(accepted, Err(LinkError::OtherKey));
}

struct Loopback(TcpListener);

impl Accept for Loopback {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, String)> {
        let (socket, peer) = self.0.accept().await?;
        Ok((socket, peer.to_string()))
    }
}

async fn loopback(links: Links) -> (Acceptor<Loopback>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let acceptor = Acceptor::new(Loopback(listener), links, LinkService::Storage);
    (acceptor, address)
}

#[tokio::test]
async fn silent_strangers_keep_no_member_out_and_make_room() {
    let (acceptor, address) = loopback(links(1)).await;
    let strangers = async {
        let mut all = Vec::new();
        for _ in 0..HALF_OPEN_MAX + 10 {
            all.push(TcpStream::connect(&address).await.unwrap());
        }
        let mut socket = TcpStream::connect(&address).await.unwrap();
        let linked = links(1)
            .begin(&mut socket, LinkService::Storage, &address)
            .await;
        linked.unwrap();
        (all, socket)
    };
    let met = async { tokio::join!(strangers, acceptor.accept()) };
    let ((mut strangers, member), accepted) = tokio::time::timeout(PATIENCE, met).await.unwrap();
    let (_, peer) = accepted.unwrap();
    assert_eq!(peer, member.local_addr().unwrap().to_string());
    // The first of them was put out; the last may go on to say nothing for a while.
    let mut byte = [0; 1];
    let closed = strangers[0].read(&mut byte);
    let closed = tokio::time::timeout(PATIENCE, closed).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    let last = strangers.last_mut().unwrap();
    let short = Duration::from_millis(50);
    assert!(
        tokio::time::timeout(short, last.read(&mut [0; 1]))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn open_links_are_passed_on_as_they_come() {
    let (acceptor, address) = loopback(Links::Open).await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    Links::Open
        .begin(&mut socket, LinkService::Storage, &address)
        .await
        .unwrap();
    let accepted = tokio::time::timeout(PATIENCE, acceptor.accept());
    assert!(accepted.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_lasting_refusal_is_told_from_one_that_may_pass() {
    assert!(LinkError::OtherKey.is_lasting() && LinkError::NoProof.is_lasting());
    assert!(!LinkError::Closed.is_lasting() && !LinkError::Late(PATIENCE).is_lasting());
}

proptest! {
    #[test]
    fn messages_are_read_as_they_were_written(
        nonce in any::<[u8; 32]>(),
        proof in any::<[u8; 32]>(),
        kind in 0..6_u8,
        storage in any::<bool>(),
    ) {
        let service = if storage { LinkService::Storage } else { LinkService::Metadata };
        let message = match kind {
            0 => Message::Hello { nonce },
            1 => Message::Challenge { nonce, proof },
            2 => Message::Proof { proof },
            3 => Message::Refusal(Refusal::OtherKey),
            4 => Message::Refusal(Refusal::OtherVersion),
            _ => Message::Refusal(Refusal::OtherService(service)),
        };
        let bytes = message.encode(service);
        let (head, body) = bytes.split_first_chunk().unwrap();
        let head = MessageHead::decode(head).unwrap();
        prop_assert_eq!(head.body_bytes(), body.len());
        prop_assert_eq!(Message::decode(head, body, service), Ok(message));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(head in any::<[u8; 8]>(), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_message(&head, &body, LinkService::Storage);
        let ours = [b'S', b'L', b'n', b'k', 1, head[5] % 6, head[6] % 4, head[7]];
        let read = read_message(&ours, &body, LinkService::Storage);
        let right = matches!((ours[5], body.len(), ours[6]), (1 | 3, 32, 2) | (2, 64, 2) | (4, 1, 2));
        prop_assert!(right || read.is_err());
    }
}
