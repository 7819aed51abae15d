//! What every transport must do, as one suite that each of them passes: [`conformance!`] makes the tests for one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use sluice_types::{
    BootId, ChunkId, ChunkIndex, ChunkRange, ChunkSize, FenceEpoch, FsError, InodeId, MapVersion,
    Payload, SessionId, Stability, TargetId,
};
use sluice_wire::storage::{
    FileStatus, StorageOperation, StorageOutcome, StorageReply, StorageRequest, TargetStatus,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{FabricError, Handler, Reply, Request, Transport};

/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);
/// As good as at once, but for a busy machine.
pub(crate) const SHORT: Duration = Duration::from_millis(80);
pub(crate) const BOOT: BootId = BootId::new(7);

/// A transport and a server of one kind, set up together.
#[async_trait]
pub(crate) trait Fabric: Send + Sync + Sized + 'static {
    /// A transport that reaches `handler`, with at most `in_flight_max` requests at once.
    async fn start(handler: Arc<dyn Handler>, in_flight_max: usize) -> Self;
    fn transport(&self) -> Arc<dyn Transport>;
    fn address(&self) -> String;
    /// Ends the server in good order.
    async fn stop(&mut self);
    /// Starts it again at the same address.
    async fn restart(&mut self, handler: Arc<dyn Handler>);
}

/// Keeps chunks in memory; `Commit` waits at a gate.
pub(crate) struct TestHandler {
    chunks: Mutex<HashMap<ChunkId, Payload>>,
    pub(crate) gate: Semaphore,
    pub(crate) running: AtomicUsize,
    pub(crate) running_max: AtomicUsize,
    pub(crate) commits_done: AtomicUsize,
    /// Of all requests, in the order they began.
    pub(crate) given_up: Mutex<Vec<CancellationToken>>,
}

impl TestHandler {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            chunks: Mutex::default(),
            gate: Semaphore::new(0),
            running: AtomicUsize::new(0),
            running_max: AtomicUsize::new(0),
            commits_done: AtomicUsize::new(0),
            given_up: Mutex::default(),
        })
    }

    /// Whether the asker of the request that began as number `index` has given up.
    pub(crate) fn is_given_up(&self, index: usize) -> bool {
        let given_up = self.given_up.lock();
        given_up
            .get(index)
            .is_some_and(CancellationToken::is_cancelled)
    }

    async fn outcome(&self, request: Request) -> (Result<StorageOutcome, FsError>, Payload) {
        let none = Payload::new();
        match request.header.operation {
            StorageOperation::Write { chunk, .. } => {
                self.chunks.lock().insert(chunk, request.payload);
                (Ok(StorageOutcome::Written), none)
            }
            StorageOperation::Read { chunk, range } => {
                let chunk = self.chunks.lock().get(&chunk).cloned().unwrap_or_default();
                let bytes = chunk.slice(range.start as usize, range.length as usize);
                (Ok(StorageOutcome::Read), bytes)
            }
            StorageOperation::Commit { .. } => {
                self.gate.acquire().await.unwrap().forget();
                self.commits_done.fetch_add(1, Ordering::SeqCst);
                (Ok(StorageOutcome::Committed(FileStatus::default())), none)
            }
            StorageOperation::TargetStatus => (
                Ok(StorageOutcome::TargetStatus(TargetStatus::default())),
                none,
            ),
            StorageOperation::Check => panic!("a handler's bug, for the test"),
            _ => (Err(FsError::NoSpace), none),
        }
    }
}

#[async_trait]
impl Handler for TestHandler {
    async fn handle(&self, request: Request, given_up: CancellationToken) -> Reply {
        self.given_up.lock().push(given_up);
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(running, Ordering::SeqCst);
        let (result, payload) = self.outcome(request).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        Reply {
            header: StorageReply { boot: BOOT, result },
            payload,
        }
    }
}

pub(crate) fn ask(operation: StorageOperation) -> Request {
    Request {
        header: StorageRequest {
            target: TargetId::new(3),
            map_version: MapVersion::new(1),
            session: SessionId::new(2),
            fence_epoch: FenceEpoch::new(4),
            operation,
        },
        payload: Payload::new(),
    }
}

pub(crate) fn commit() -> Request {
    ask(StorageOperation::Commit {
        inode: InodeId::ROOT,
    })
}

pub(crate) fn status() -> Request {
    ask(StorageOperation::TargetStatus)
}

fn chunk(index: u32) -> ChunkId {
    ChunkId {
        inode: InodeId::ROOT,
        index: ChunkIndex::new(index),
    }
}

pub(crate) fn write(index: u32, payload: Payload) -> Request {
    let length = payload.len() as u32;
    let operation = StorageOperation::Write {
        chunk: chunk(index),
        range: ChunkRange { start: 0, length },
        stability: Stability::Unstable,
    };
    Request {
        payload,
        ..ask(operation)
    }
}

pub(crate) fn read(index: u32, length: u32) -> Request {
    ask(StorageOperation::Read {
        chunk: chunk(index),
        range: ChunkRange { start: 0, length },
    })
}

/// `length` bytes that differ from those of any other seed.
pub(crate) fn bytes(seed: u32, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(next).collect()
}

pub(crate) async fn wait_until(what: impl Fn() -> bool) {
    for _ in 0..2000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to pass");
}

pub(crate) async fn payloads_come_back_as_they_went<F: Fabric>() {
    let fabric = F::start(TestHandler::new(), 64).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    for (index, length) in [0, 1, 4095, 4096, 70_001, 8 << 20].into_iter().enumerate() {
        let mut payload = Payload::from(bytes(index as u32, length));
        payload.push(bytes(77, 3));
        payload.push_zeros(200_000);
        let request = write(index as u32, payload.clone());
        let reply = transport.call(&address, request, LONG).await.unwrap();
        assert_eq!(
            reply.header,
            StorageReply {
                boot: BOOT,
                result: Ok(StorageOutcome::Written)
            }
        );
        let request = read(index as u32, 16 << 20);
        let reply = transport.call(&address, request, LONG).await.unwrap();
        assert_eq!(reply.payload, payload);
    }
}

pub(crate) async fn a_refusal_is_a_reply<F: Fabric>() {
    let fabric = F::start(TestHandler::new(), 64).await;
    let request = ask(StorageOperation::Remove {
        inode: InodeId::ROOT,
    });
    let reply = fabric
        .transport()
        .call(&fabric.address(), request, LONG)
        .await
        .unwrap();
    assert_eq!(reply.header.result, Err(FsError::NoSpace));
}

pub(crate) async fn replies_come_in_any_order<F: Fabric>() {
    let handler = TestHandler::new();
    let fabric = F::start(Arc::clone(&handler) as _, 64).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    let slow = tokio::spawn({
        let (transport, address) = (Arc::clone(&transport), address.clone());
        async move { transport.call(&address, commit(), LONG).await }
    });
    wait_until(|| handler.running.load(Ordering::SeqCst) == 1).await;
    for _ in 0..4 {
        transport.call(&address, status(), LONG).await.unwrap();
    }
    assert!(!slow.is_finished() && !handler.is_given_up(0));
    handler.gate.add_permits(1);
    let reply = slow.await.unwrap().unwrap();
    assert!(matches!(
        reply.header.result,
        Ok(StorageOutcome::Committed(_))
    ));
}

pub(crate) async fn a_deadline_is_kept<F: Fabric>() {
    let handler = TestHandler::new();
    let fabric = F::start(Arc::clone(&handler) as _, 64).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    let late = transport.call(&address, commit(), SHORT).await.unwrap_err();
    assert!(
        matches!(late, FabricError::DeadlinePassed { sent: true, .. }),
        "{late:?}"
    );
    assert!(late.outcome_unknown());
    wait_until(|| handler.is_given_up(0)).await;
    transport.call(&address, status(), LONG).await.unwrap();
    // The late reply goes into the void.
    handler.gate.add_permits(1);
    wait_until(|| handler.commits_done.load(Ordering::SeqCst) == 1).await;
    transport.call(&address, status(), LONG).await.unwrap();
}

pub(crate) async fn many_are_carried_at_once<F: Fabric>() {
    let fabric = F::start(TestHandler::new(), 64).await;
    let mut calls = tokio::task::JoinSet::new();
    for index in 0..300_u32 {
        let (transport, address) = (fabric.transport(), fabric.address());
        calls.spawn(async move {
            let payload = Payload::from(bytes(index, (index as usize * 977) % 50_000));
            let request = write(index, payload.clone());
            transport.call(&address, request, LONG).await.unwrap();
            let reply = transport
                .call(&address, read(index, 60_000), LONG)
                .await
                .unwrap();
            assert_eq!(reply.payload, payload);
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
}

pub(crate) async fn a_server_that_comes_back_is_found<F: Fabric>() {
    let mut fabric = F::start(TestHandler::new(), 64).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    transport.call(&address, status(), LONG).await.unwrap();
    fabric.stop().await;
    let mut refused = 0;
    for _ in 0..6 {
        let error = transport.call(&address, status(), LONG).await.unwrap_err();
        refused += usize::from(!error.outcome_unknown());
    }
    assert!(refused >= 4, "most were not sent at all");
    fabric.restart(TestHandler::new()).await;
    for _ in 0..400 {
        if transport.call(&address, status(), LONG).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server was not found again");
}

pub(crate) async fn a_caller_that_leaves_ends_nothing<F: Fabric>() {
    let handler = TestHandler::new();
    let fabric = F::start(Arc::clone(&handler) as _, 4).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    for _ in 0..4 {
        let call = transport.call(&address, commit(), LONG);
        assert!(tokio::time::timeout(SHORT, call).await.is_err());
    }
    wait_until(|| handler.running.load(Ordering::SeqCst) == 4).await;
    handler.gate.add_permits(4);
    wait_until(|| handler.commits_done.load(Ordering::SeqCst) == 4).await;
    transport.call(&address, status(), LONG).await.unwrap();
}

pub(crate) async fn too_many_wait<F: Fabric>() {
    let handler = TestHandler::new();
    let fabric = F::start(Arc::clone(&handler) as _, 4).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (transport, address) = (fabric.transport(), fabric.address());
        calls.spawn(async move { transport.call(&address, commit(), LONG).await });
    }
    wait_until(|| handler.running.load(Ordering::SeqCst) == 4).await;
    tokio::time::sleep(SHORT).await;
    handler.gate.add_permits(20);
    while let Some(done) = calls.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(handler.running_max.load(Ordering::SeqCst), 4);
}

pub(crate) async fn too_large_is_refused<F: Fabric>() {
    let handler = TestHandler::new();
    let fabric = F::start(Arc::clone(&handler) as _, 4).await;
    let (transport, address) = (fabric.transport(), fabric.address());
    let mut payload = Payload::new();
    payload.push_zeros(ChunkSize::MAX_BYTES as usize + 1);
    for request in [write(0, payload), read(0, ChunkSize::MAX_BYTES + 1)] {
        let error = transport.call(&address, request, LONG).await.unwrap_err();
        assert!(matches!(error, FabricError::TooLarge { .. }), "{error:?}");
        assert!(!error.outcome_unknown());
    }
    assert_eq!(handler.running_max.load(Ordering::SeqCst), 0);
}

pub(crate) async fn nobody_at_the_address_is_unreachable<F: Fabric>() {
    let fabric = F::start(TestHandler::new(), 4).await;
    let error = fabric
        .transport()
        .call("127.0.0.1:1", status(), LONG)
        .await
        .unwrap_err();
    assert!(
        matches!(error, FabricError::Unreachable { .. }),
        "{error:?}"
    );
}

/// The tests of one kind of fabric.
macro_rules! conformance {
    ($fabric:ty: $($test:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            $crate::conformance::$test::<$fabric>().await;
        }
    )*};
    ($fabric:ty) => {
        $crate::conformance::conformance!($fabric:
            payloads_come_back_as_they_went, a_refusal_is_a_reply, replies_come_in_any_order,
            a_deadline_is_kept, many_are_carried_at_once, a_server_that_comes_back_is_found,
            a_caller_that_leaves_ends_nothing, too_many_wait, too_large_is_refused,
            nobody_at_the_address_is_unreachable,
        );
    };
}

pub(crate) use conformance;
