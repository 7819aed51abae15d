use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sluice_types::{FsError, Payload, SystemClock, SystemRng};
use sluice_wire::links::{LinkKey, Links};
use sluice_wire::storage::{StorageOperation, StorageOutcome, StorageReply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::conformance::{
    BOOT, Fabric, LONG, SHORT, TestHandler, ask, bytes, commit, conformance, read, status,
    wait_until, write,
};
use crate::{
    FRAME_HEADER_BYTES, FabricError, FrameHeader, FrameKind, Handler, LinkedNetwork, Network,
    PAYLOAD_ALIGNMENT_BYTES, Reply, Request, RequestId, SystemNetwork, Transport,
};

struct Tcp {
    transport: Arc<TcpTransport>,
    server: Option<TcpServer>,
    address: String,
    options: TcpServerOptions,
}

fn client(options: TcpOptions) -> Arc<TcpTransport> {
    let clock = Arc::new(SystemClock::new());
    let rng = Arc::new(SystemRng::new());
    Arc::new(TcpTransport::new(
        Arc::new(SystemNetwork),
        clock,
        rng,
        options,
    ))
}

async fn server(handler: Arc<dyn Handler>, address: &str, options: TcpServerOptions) -> TcpServer {
    let clock = Arc::new(SystemClock::new());
    let server = TcpServer::start(&SystemNetwork, address, handler, options, clock);
    server.await.unwrap()
}

async fn start(handler: Arc<dyn Handler>, options: TcpServerOptions) -> Tcp {
    let server = server(handler, "127.0.0.1:0", options).await;
    Tcp {
        transport: client(TcpOptions::default()),
        address: server.address().to_owned(),
        server: Some(server),
        options,
    }
}

#[async_trait]
impl Fabric for Tcp {
    async fn start(handler: Arc<dyn Handler>, in_flight_max: usize) -> Self {
        let options = TcpServerOptions {
            requests_in_flight_per_connection_max: in_flight_max,
            ..TcpServerOptions::default()
        };
        let mut fabric = start(handler, options).await;
        fabric.transport = client(TcpOptions {
            connections_per_peer: 1,
            ..TcpOptions::default()
        });
        fabric
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.transport) as _
    }

    fn address(&self) -> String {
        self.address.clone()
    }

    async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown(LONG).await;
        }
    }

    async fn restart(&mut self, handler: Arc<dyn Handler>) {
        self.server = Some(server(handler, &self.address, self.options).await);
    }
}

conformance!(Tcp);

impl Tcp {
    async fn call(&self, request: Request) -> Result<Reply, FabricError> {
        self.transport.call(&self.address, request, LONG).await
    }
}

/// Everything until the peer closes, or fails to within a moment.
async fn closed(socket: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(LONG, socket.read_to_end(&mut rest)).await;
    // A reset is an end too.
    end.is_ok() && rest.is_empty()
}

fn header(kind: FrameKind, message: &[u8], payload_bytes: u32) -> [u8; FRAME_HEADER_BYTES] {
    let header = FrameHeader {
        kind,
        request: RequestId::new(0),
        message_bytes: message.len() as u32,
        payload_bytes,
        deadline_ms: 1000,
        message_crc32c: crc32c::crc32c(message),
    };
    header.encode()
}

#[tokio::test]
async fn garbage_closes_its_own_connection_only() {
    let fabric = start(TestHandler::new(), TcpServerOptions::default()).await;
    fabric.call(status()).await.unwrap();
    let garbage = [
        bytes(1, 1000).to_vec(),
        vec![0; 40],
        header(FrameKind::Reply, b"", 0).to_vec(),
        header(FrameKind::Request, b"", u32::MAX).to_vec(),
        [&header(FrameKind::Request, b"abcd", 0)[..], b"abce"].concat(),
    ];
    for sent in garbage {
        let mut socket = TcpStream::connect(&fabric.address).await.unwrap();
        socket.write_all(&sent).await.unwrap();
        assert!(closed(&mut socket).await, "{:?}", &sent[..8]);
        fabric.call(status()).await.unwrap();
    }
}

#[tokio::test]
async fn a_message_of_another_version_is_refused_and_the_next_served() {
    let fabric = start(TestHandler::new(), TcpServerOptions::default()).await;
    let mut socket = TcpStream::connect(&fabric.address).await.unwrap();
    for _ in 0..2 {
        let head = header(FrameKind::Request, b"\xff", 3);
        socket
            .write_all(&[&head[..], b"\xff", b"pay"].concat())
            .await
            .unwrap();
        let mut reply = [0; FRAME_HEADER_BYTES];
        socket.read_exact(&mut reply).await.unwrap();
        let limits = TcpOptions::default().frame_limits();
        let reply = FrameHeader::decode(&reply, FrameKind::Reply, limits).unwrap();
        let mut message = vec![0; reply.message_bytes as usize];
        socket.read_exact(&mut message).await.unwrap();
        let message = sluice_wire::storage::decode_reply(&message[..]).unwrap();
        assert_eq!(message.result, Err(FsError::Invalid));
    }
}

#[tokio::test]
async fn half_a_frame_does_not_hold_a_connection_for_ever() {
    let options = TcpServerOptions {
        stall_deadline: SHORT,
        ..TcpServerOptions::default()
    };
    let fabric = start(TestHandler::new(), options).await;
    let mut socket = TcpStream::connect(&fabric.address).await.unwrap();
    socket
        .write_all(&header(FrameKind::Request, b"", 0)[..17])
        .await
        .unwrap();
    assert!(closed(&mut socket).await);
    // An idle connection is no half frame.
    fabric.call(status()).await.unwrap();
    tokio::time::sleep(SHORT * 3).await;
    fabric.call(status()).await.unwrap();
}

#[tokio::test]
async fn connections_are_bounded() {
    let options = TcpServerOptions {
        connections_max: 2,
        ..TcpServerOptions::default()
    };
    let fabric = start(TestHandler::new(), options).await;
    fabric.call(status()).await.unwrap();
    fabric.call(status()).await.unwrap();
    let mut third = TcpStream::connect(&fabric.address).await.unwrap();
    assert!(closed(&mut third).await);
    fabric.call(status()).await.unwrap();
}

#[tokio::test]
async fn a_panic_is_an_internal_error() {
    let fabric = start(TestHandler::new(), TcpServerOptions::default()).await;
    let reply = fabric.call(ask(StorageOperation::Check)).await.unwrap();
    assert_eq!(reply.header.result, Err(FsError::Internal));
}

#[tokio::test]
async fn a_shutdown_answers_what_began() {
    let handler = TestHandler::new();
    let mut fabric = start(Arc::clone(&handler) as _, TcpServerOptions::default()).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    let under_way = tokio::spawn(async move { transport.call(&address, commit(), LONG).await });
    wait_until(|| handler.running.load(Ordering::SeqCst) == 1).await;
    let shutdown = fabric.server.take().unwrap().shutdown(LONG);
    let open = async {
        tokio::time::sleep(SHORT).await;
        assert!(!handler.is_given_up(0), "its asker waits");
        handler.gate.add_permits(1);
    };
    tokio::join!(shutdown, open);
    let reply = under_way.await.unwrap().unwrap();
    assert!(matches!(
        reply.header.result,
        Ok(StorageOutcome::Committed(_))
    ));
}

#[tokio::test]
async fn a_connection_that_ends_is_told_to_its_requests() {
    let handler = TestHandler::new();
    let fabric = start(Arc::clone(&handler) as _, TcpServerOptions::default()).await;
    let asker = client(TcpOptions::default());
    let address = fabric.address.clone();
    let call = tokio::spawn(async move { asker.call(&address, commit(), LONG).await });
    wait_until(|| handler.running.load(Ordering::SeqCst) == 1).await;
    assert!(!handler.is_given_up(0));
    // With it goes its transport, as if its process had died.
    call.abort();
    wait_until(|| handler.is_given_up(0)).await;
    handler.gate.add_permits(1);
    wait_until(|| handler.commits_done.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_server_that_dies_leaves_the_outcome_unknown() {
    let handler = TestHandler::new();
    let mut fabric = start(Arc::clone(&handler) as _, TcpServerOptions::default()).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    let under_way = tokio::spawn(async move { transport.call(&address, commit(), LONG).await });
    wait_until(|| handler.running.load(Ordering::SeqCst) == 1).await;
    drop(fabric.server.take());
    let error = under_way.await.unwrap().unwrap_err();
    assert!(matches!(error, FabricError::Closed { .. }), "{error:?}");
}

/// Keeps the payloads it gets, and answers when told.
struct Keeper {
    kept: Mutex<Vec<Payload>>,
    inner: Arc<TestHandler>,
}

#[async_trait]
impl Handler for Keeper {
    async fn handle(&self, request: Request, given_up: CancellationToken) -> Reply {
        self.kept.lock().push(request.payload);
        self.inner.handle(commit(), given_up).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_bounded_before_they_are_read() {
    let inner = TestHandler::new();
    let keeper = Arc::new(Keeper {
        kept: Mutex::default(),
        inner: Arc::clone(&inner),
    });
    let options = TcpServerOptions {
        bytes_in_flight_max: 300_000,
        ..TcpServerOptions::default()
    };
    let fabric = start(Arc::clone(&keeper) as _, options).await;
    let mut calls = tokio::task::JoinSet::new();
    for index in 0..10 {
        let (transport, address) = (fabric.transport(), fabric.address());
        let request = write(index, Payload::from(bytes(index, 100_000)));
        calls.spawn(async move { transport.call(&address, request, LONG).await });
    }
    // Two on the server; the third does not fit, so neither connection is read further.
    wait_until(|| keeper.kept.lock().len() == 2).await;
    tokio::time::sleep(SHORT).await;
    assert_eq!(keeper.kept.lock().len(), 2);
    inner.gate.add_permits(10);
    while let Some(done) = calls.join_next().await {
        done.unwrap().unwrap();
    }
    let kept = keeper.kept.lock();
    assert_eq!(kept.len(), 10);
    for payload in kept.iter() {
        let [segment] = payload.segments() else {
            panic!("a payload comes in one piece");
        };
        assert_eq!(segment.as_ptr().addr() % PAYLOAD_ALIGNMENT_BYTES, 0);
    }
}

#[tokio::test]
async fn a_request_that_waited_too_long_is_not_begun() {
    let handler = TestHandler::new();
    let options = TcpServerOptions {
        requests_in_flight_per_connection_max: 1,
        ..TcpServerOptions::default()
    };
    let mut fabric = start(Arc::clone(&handler) as _, options).await;
    fabric.transport = client(TcpOptions {
        connections_per_peer: 1,
        ..TcpOptions::default()
    });
    let (transport, address) = (fabric.transport(), fabric.address());
    let first = tokio::spawn(async move { transport.call(&address, commit(), LONG).await });
    wait_until(|| handler.running.load(Ordering::SeqCst) == 1).await;
    let late = write(5, Payload::from(bytes(5, 10)));
    let late = fabric
        .transport
        .call(&fabric.address, late, SHORT)
        .await
        .unwrap_err();
    assert!(matches!(
        late,
        FabricError::DeadlinePassed { sent: true, .. }
    ));
    handler.gate.add_permits(1);
    first.await.unwrap().unwrap();
    let reply = fabric.call(read(5, 10)).await.unwrap();
    assert!(
        reply.payload.is_empty(),
        "the late write was not carried out"
    );
}

/// A peer that answers every request with `reply`.
async fn false_server(reply: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 1000];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(&reply).await;
            tokio::time::sleep(LONG).await;
        }
    });
    address
}

#[tokio::test]
async fn a_false_server_is_seen_through() {
    let mut good = Vec::new();
    let written = StorageReply {
        boot: BOOT,
        result: Ok(StorageOutcome::Written),
    };
    sluice_wire::storage::encode_reply(&written, &mut good);
    let unasked = header(FrameKind::Reply, &good, 1 << 20);
    let replies = [
        bytes(3, 100).to_vec(),
        [&unasked[..], &good].concat(),
        [&header(FrameKind::Reply, b"\xff", 0)[..], b"\xff"].concat(),
    ];
    for reply in replies {
        let address = false_server(reply).await;
        let transport = client(TcpOptions::default());
        let error = transport.call(&address, status(), LONG).await.unwrap_err();
        let seen = matches!(
            error,
            FabricError::Closed { .. } | FabricError::Protocol { .. }
        );
        assert!(seen && error.outcome_unknown(), "{error:?}");
    }
}

#[tokio::test]
async fn a_peer_that_is_away_is_not_asked_each_time() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = unused.local_addr().unwrap().to_string();
    drop(unused);
    let transport = client(TcpOptions {
        connections_per_peer: 1,
        backoff_min: Duration::from_secs(60),
        backoff_max: Duration::from_secs(60),
        ..TcpOptions::default()
    });
    let first = transport.call(&address, status(), LONG).await.unwrap_err();
    assert!(matches!(first, FabricError::Unreachable { .. }));
    // Somebody is there now; but it is not time to look yet.
    let server = server(TestHandler::new(), &address, TcpServerOptions::default()).await;
    let second = transport.call(&address, status(), LONG).await.unwrap_err();
    assert_eq!(second, first);
    drop(server);
}

fn keyed(secret: u8) -> Arc<dyn Network> {
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    let links = Links::keyed(LinkKey::derive(&[secret; 16]), clock, rng);
    Arc::new(LinkedNetwork::new(Arc::new(SystemNetwork), links))
}

fn client_on(network: Arc<dyn Network>) -> TcpTransport {
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    TcpTransport::new(network, clock, rng, TcpOptions::default())
}

#[tokio::test]
async fn only_those_with_the_cluster_key_are_served() {
    let handler = TestHandler::new();
    let clock = Arc::new(SystemClock::new());
    let options = TcpServerOptions::default();
    let network = keyed(1);
    let server = TcpServer::start(&*network, "127.0.0.1:0", handler, options, clock);
    let server = server.await.unwrap();
    let address = server.address();
    let member = client_on(network);
    member.call(address, status(), LONG).await.unwrap();

    let stranger = client_on(keyed(2)).call(address, status(), LONG).await;
    let FabricError::Unreachable { reason, .. } = stranger.unwrap_err() else {
        panic!("the request was sent");
    };
    assert!(reason.contains("another cluster key"), "{reason}");
    let plain = client(TcpOptions::default());
    let refused = plain.call(address, status(), LONG).await.unwrap_err();
    assert!(matches!(refused, FabricError::Closed { .. }), "{refused:?}");
    let mut socket = TcpStream::connect(address).await.unwrap();
    let frame = header(FrameKind::Request, b"", 0);
    socket.write_all(&frame).await.unwrap();
    assert!(closed(&mut socket).await);
    // Members are served as before.
    member.call(address, status(), LONG).await.unwrap();
}

#[tokio::test]
async fn a_server_without_the_key_is_sent_nothing() {
    let fabric = start(TestHandler::new(), TcpServerOptions::default()).await;
    let member = client_on(keyed(1));
    let refused = member.call(&fabric.address, status(), LONG).await;
    let unsent = matches!(refused, Err(FabricError::Unreachable { .. }));
    assert!(unsent, "{refused:?}");
}
