use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sluice_types::{CallId, FileName, InodeId, SessionId, SystemClock, SystemRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::links::LinkKey;
use crate::meta::{
    CheckMetadata, Done, FinishRemovals, GetInode, MakeDirectory, MetadataExt, MetadataProblems,
    OpenSession, ServeOptions, SessionOpened, serve,
};

/// Counts calls; may be made to hang.
#[derive(Default)]
struct Fake {
    calls: AtomicUsize,
    finished: AtomicUsize,
    hang: AtomicBool,
    /// Changes of the tree are never answered.
    hang_trees: AtomicBool,
}

#[async_trait]
impl Metadata for Fake {
    async fn call(&self, context: &CallContext, operation: Operation) -> Result<Outcome, FsError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.hang.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if self.hang_trees.load(Ordering::SeqCst)
            && matches!(operation, Operation::MakeDirectory(_))
        {
            std::future::pending::<()>().await;
        }
        self.finished.fetch_add(1, Ordering::SeqCst);
        match operation {
            Operation::OpenSession(_) => Ok(Outcome::OpenSession(SessionOpened {
                session: SessionId::new(u64::from(context.credentials.uid)),
                lifetime_ms: 5000,
                map_version: sluice_types::MapVersion::new(3),
                fence_epoch: sluice_types::FenceEpoch::new(4),
                term: sluice_types::LeaseTerm::new(5),
            })),
            Operation::FinishRemovals(_) => Ok(Outcome::FinishRemovals(Done)),
            // More than the largest message.
            Operation::CheckMetadata(_) => Ok(Outcome::CheckMetadata(MetadataProblems {
                problems: vec!["x".repeat(MESSAGE_BYTES_MAX + 1)],
            })),
            _ => Err(FsError::NotFound),
        }
    }
}

struct Running {
    address: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn start(fake: Arc<Fake>, address: &str) -> Running {
    start_with(fake, address, ServeOptions::default()).await
}

async fn start_with(fake: Arc<Fake>, address: &str, options: ServeOptions) -> Running {
    start_linked(fake, address, Links::Open, options).await
}

async fn start_linked(
    fake: Arc<Fake>,
    address: &str,
    links: Links,
    options: ServeOptions,
) -> Running {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        serve(fake, listener, links, options, stopped)
            .await
            .unwrap();
    });
    Running {
        address,
        stop,
        served,
    }
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap();
    }
}

fn options(deadline_ms: u64) -> RemoteOptions {
    RemoteOptions {
        call_deadline: Duration::from_millis(deadline_ms),
        ..RemoteOptions::default()
    }
}

fn open() -> OpenSession {
    OpenSession::new("test")
}

fn make_directory() -> MakeDirectory {
    MakeDirectory {
        directory: InodeId::ROOT,
        name: FileName::new(&b"d"[..]).unwrap(),
        attributes: Default::default(),
    }
}

#[tokio::test]
async fn outcomes_errors_and_context_cross() {
    let running = start(Arc::default(), "127.0.0.1:0").await;
    let remote = RemoteMetadata::connect(
        std::slice::from_ref(&running.address),
        &Links::Open,
        options(5000),
    )
    .unwrap();
    let mut context = CallContext::internal();
    context.credentials.uid = 77;
    let opened = remote.run(&context, open()).await.unwrap();
    assert_eq!(opened.session, SessionId::new(77));
    let missing = remote
        .run(
            &context,
            GetInode {
                inode: InodeId::ROOT,
            },
        )
        .await;
    assert_eq!(missing, Err(FsError::NotFound));
    let finished = remote
        .run(
            &context,
            FinishRemovals {
                inodes: vec![InodeId::ROOT],
            },
        )
        .await;
    assert_eq!(finished, Ok(Done));
    drop(remote);
    running.stop().await;
}

#[tokio::test]
async fn a_message_over_the_limit_is_an_error() {
    let running = start(Arc::default(), "127.0.0.1:0").await;
    let remote = RemoteMetadata::connect(
        std::slice::from_ref(&running.address),
        &Links::Open,
        options(5000),
    )
    .unwrap();
    let result = remote.run(&CallContext::internal(), CheckMetadata).await;
    assert_eq!(result, Err(FsError::Internal));
}

/// All places are taken by changes that wait for something: sessions are renewed all the same.
#[tokio::test]
async fn a_tree_that_hangs_makes_nobody_look_dead() {
    let fake = Arc::<Fake>::default();
    let few = ServeOptions {
        operations_in_flight_max: 2,
        ..ServeOptions::default()
    };
    let running = start_with(Arc::clone(&fake), "127.0.0.1:0", few).await;
    let remote = RemoteMetadata::connect(
        std::slice::from_ref(&running.address),
        &Links::Open,
        options(5000),
    )
    .unwrap();
    let remote = Arc::new(remote);
    fake.hang_trees.store(true, Ordering::SeqCst);
    let changes: Vec<_> = (0..4)
        .map(|_| {
            let remote = Arc::clone(&remote);
            tokio::spawn(
                async move { remote.run(&CallContext::internal(), make_directory()).await },
            )
        })
        .collect();
    while fake.calls.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let context = CallContext::internal();
    let renewed = tokio::time::timeout(Duration::from_secs(2), remote.run(&context, open())).await;
    assert!(renewed.expect("it had to wait").is_ok());
    changes.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_restarted_service_is_reached_again() {
    let fake = Arc::<Fake>::default();
    let running = start(Arc::clone(&fake), "127.0.0.1:0").await;
    let address = running.address.clone();
    let remote =
        RemoteMetadata::connect(std::slice::from_ref(&address), &Links::Open, options(5000))
            .unwrap();
    remote.run(&CallContext::internal(), open()).await.unwrap();
    running.stop().await;
    let restarted = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        start(fake, &address).await
    });
    // Not repeatable; but nothing can be sent before the service is back.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let made = remote.run(&CallContext::internal(), make_directory()).await;
    assert_eq!(made, Err(FsError::NotFound), "the service's own answer");
    drop(restarted.await.unwrap());
}

/// A call with an id is sent again, and waited for longer than others: the service knows whether it was done.
#[tokio::test]
async fn a_call_with_an_id_outlives_the_service_that_had_it() {
    let fake = Arc::<Fake>::default();
    fake.hang_trees.store(true, Ordering::SeqCst);
    let options = RemoteOptions {
        keepalive: Duration::from_millis(100),
        ..options(200)
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let remote =
        RemoteMetadata::connect(std::slice::from_ref(&address), &Links::Open, options).unwrap();
    let mut context = CallContext::internal();
    context.call = Some(CallId {
        client: "client".into(),
        xid: 1,
        procedure: 2,
        checksum: 3,
    });
    let made = tokio::spawn(async move { remote.run(&context, make_directory()).await });
    // Takes the call and dies with it.
    let (taken, _) = silent.accept().await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    drop((taken, silent));
    let running = start(Arc::default(), &address).await;
    assert_eq!(made.await.unwrap(), Err(FsError::NotFound), "its answer");
    running.stop().await;
}

#[tokio::test]
async fn the_next_address_is_tried() {
    // A port that was just given up: nobody listens there.
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = unused.local_addr().unwrap().to_string();
    drop(unused);
    let running = start(Arc::default(), "127.0.0.1:0").await;
    let addresses = [dead, running.address.clone()];
    let remote = RemoteMetadata::connect(&addresses, &Links::Open, options(5000)).unwrap();
    remote.run(&CallContext::internal(), open()).await.unwrap();
}

#[tokio::test]
async fn a_late_answer_is_unavailable_and_the_operation_is_finished_once() {
    let fake = Arc::<Fake>::default();
    fake.hang.store(true, Ordering::SeqCst);
    let running = start(Arc::clone(&fake), "127.0.0.1:0").await;
    let remote = RemoteMetadata::connect(
        std::slice::from_ref(&running.address),
        &Links::Open,
        options(100),
    )
    .unwrap();
    let made = remote.run(&CallContext::internal(), make_directory()).await;
    assert_eq!(made, Err(FsError::Unavailable));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    assert_eq!(fake.finished.load(Ordering::SeqCst), 1);
}

#[test]
fn addresses_are_checked() {
    for bad in ["", "host", ":80", "host:0", "host:port", "ho st:1"] {
        let connected =
            RemoteMetadata::connect(&[bad.to_owned()], &Links::Open, RemoteOptions::default());
        assert!(matches!(connected, Err(FsError::Invalid)), "{bad}");
    }
    let none = RemoteMetadata::connect(&[], &Links::Open, RemoteOptions::default());
    assert!(matches!(none, Err(FsError::Invalid)));
}

#[test]
fn refusals_are_final() {
    let refused = judge(&Status::invalid_argument("name is missing"));
    assert_eq!(refused, Fault::Final(FsError::Invalid));
    assert_eq!(judge(&Status::unavailable("gone")), Fault::OutcomeUnknown);
    assert_eq!(judge(&Status::cancelled("gone")), Fault::OutcomeUnknown);
}

fn keyed(secret: u8) -> Links {
    let (clock, rng) = (Arc::new(SystemClock::new()), Arc::new(SystemRng::new()));
    Links::keyed(LinkKey::derive(&[secret; 16]), clock, rng)
}

async fn opened(address: &str, links: &Links) -> Result<SessionOpened, FsError> {
    let address = address.to_owned();
    let remote = RemoteMetadata::connect(&[address], links, options(500)).unwrap();
    remote.run(&CallContext::internal(), open()).await
}

#[tokio::test]
async fn only_those_with_the_cluster_key_are_served() {
    let fake = Arc::new(Fake::default());
    let options = ServeOptions::default();
    let running = start_linked(Arc::clone(&fake), "127.0.0.1:0", keyed(1), options).await;
    let address = &running.address;
    assert!(opened(address, &keyed(1)).await.is_ok());
    let served = fake.calls.load(Ordering::SeqCst);
    for links in [keyed(2), Links::Open] {
        let refused = opened(address, &links).await;
        assert_eq!(refused.unwrap_err(), FsError::Unavailable);
    }
    assert_eq!(fake.calls.load(Ordering::SeqCst), served);
    running.stop().await;
}

/// As any gRPC client would: it is closed on, without a word.
#[tokio::test]
async fn a_plain_client_gets_nothing() {
    let fake = Arc::new(Fake::default());
    let options = ServeOptions::default();
    let running = start_linked(Arc::clone(&fake), "127.0.0.1:0", keyed(1), options).await;
    let mut socket = TcpStream::connect(&running.address).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    socket.write_all(preface).await.unwrap();
    let mut said = Vec::new();
    // What was sent and not read makes it a reset.
    let _ = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut said))
        .await
        .unwrap();
    assert_eq!(said, b"");
    running.stop().await;
}

#[tokio::test]
async fn a_server_without_the_key_is_not_believed() {
    let fake = Arc::new(Fake::default());
    let running = start(Arc::clone(&fake), "127.0.0.1:0").await;
    let refused = opened(&running.address, &keyed(1)).await;
    assert_eq!(refused.unwrap_err(), FsError::Unavailable);
    assert_eq!(fake.calls.load(Ordering::SeqCst), 0);
    running.stop().await;
}
