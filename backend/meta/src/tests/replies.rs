//! A call that comes again is not done again: it gets the reply that was recorded with the effect.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice_types::{CallId, Device, FsError, InodeId, SetAttributes, SetTime};
use sluice_wire::meta::{
    CallContext, Create, CreateHow, GetInode, Link, MakeDirectory, MakeNode, MakeSymlink, Metadata,
    NodeKind, OpenSession, Operation, Outcome, Remove, RemoveDirectory, Rename, SetInode,
};

use super::support::{Fixture, ManualClock, ROOT, SeededRng, User, mode, name};
use crate::kv::{Engine, Isolation, MemoryEngine};
use crate::operations::plan;
use crate::records::keys;
use crate::replies::{Begun, Replies};
use crate::{MetaConfig, MetaService};

fn call(xid: u32) -> CallId {
    CallId {
        client: Bytes::from_static(b"machine@192.0.2.1"),
        xid,
        procedure: 9,
        checksum: 77,
    }
}

/// Sends an operation as the call of that number.
async fn send(user: &User, xid: u32, operation: Operation) -> Result<Outcome, FsError> {
    send_as(user, call(xid), operation).await
}

async fn send_as(user: &User, call: CallId, operation: Operation) -> Result<Outcome, FsError> {
    let mut context = user.context.clone();
    context.call = Some(call);
    user.service.call(&context, operation).await
}

fn create(of: &str) -> Operation {
    let create = Create {
        directory: ROOT,
        name: name(of),
        how: CreateHow::Guarded(mode(0o644)),
    };
    create.into()
}

fn remove(of: &str) -> Operation {
    let remove = Remove {
        directory: ROOT,
        name: name(of),
    };
    remove.into()
}

fn rename(from: &str, to: &str) -> Operation {
    let rename = Rename {
        from_directory: ROOT,
        from_name: name(from),
        to_directory: ROOT,
        to_name: name(to),
    };
    rename.into()
}

fn set(inode: InodeId, changes: SetAttributes) -> Operation {
    let set = SetInode {
        inode,
        changes,
        guard: None,
        data_version: None,
    };
    set.into()
}

fn rmdir(of: &str) -> Operation {
    let remove = RemoveDirectory {
        directory: ROOT,
        name: name(of),
    };
    remove.into()
}

/// One of each of the nine changes that a client can ask for; each is granted in a tree that [`prepare`] made.
fn changes(file: InodeId) -> Vec<Operation> {
    let cut = SetAttributes {
        size_bytes: Some(10),
        modified: Some(SetTime::Now),
        ..SetAttributes::default()
    };
    let make_directory = MakeDirectory {
        directory: ROOT,
        name: name("made directory"),
        attributes: mode(0o755),
    };
    let make_symlink = MakeSymlink {
        directory: ROOT,
        name: name("made symlink"),
        attributes: mode(0o777),
        target: Bytes::from_static(b"target"),
    };
    let device = Device { major: 1, minor: 2 };
    let make_node = MakeNode {
        directory: ROOT,
        name: name("made node"),
        attributes: mode(0o600),
        node: NodeKind::BlockDevice(device),
    };
    let link = Link {
        inode: file,
        directory: ROOT,
        name: name("made link"),
    };
    vec![
        set(file, cut),
        create("made file"),
        make_directory.into(),
        make_symlink.into(),
        make_node.into(),
        remove("gone file"),
        rmdir("gone directory"),
        rename("moved file", "replaced file"),
        link.into(),
    ]
}

/// A tree to change.
async fn prepare(user: &User) -> InodeId {
    for file in ["gone file", "moved file", "replaced file"] {
        user.create(ROOT, file, 0o644).await.unwrap();
    }
    user.mkdir(ROOT, "gone directory", 0o755).await.unwrap();
    user.create(ROOT, "file", 0o644).await.unwrap().id
}

/// All that is stored but replies and reserved numbers.
async fn tree(engine: &MemoryEngine) -> Vec<(Vec<u8>, Bytes)> {
    let mut transaction = engine.begin(Isolation::Latest);
    let all = crate::kv::KeyRange::new(Default::default(), crate::kv::Key::new(b"\xff"));
    let pairs = transaction.range(&all, usize::MAX).await.unwrap();
    let pairs = pairs
        .into_iter()
        .filter(|(key, _)| keys::parse_reply(key).is_none())
        .filter(|(key, _)| ![keys::next_inode(), keys::starts()].contains(key));
    pairs
        .map(|(key, value)| (key.as_bytes().to_vec(), value))
        .collect()
}

/// How many replies are stored.
async fn stored(engine: &MemoryEngine) -> usize {
    let mut transaction = engine.begin(Isolation::Latest);
    let pairs = transaction.range(&keys::replies(), usize::MAX).await;
    pairs.unwrap().len()
}

async fn replays_equal(user: &User, sent: &[(u32, Operation, Result<Outcome, FsError>)]) {
    for (xid, operation, first) in sent {
        let again = send(user, *xid, operation.clone()).await;
        assert_eq!(again, *first, "{operation:?}");
    }
}

#[tokio::test]
async fn each_change_is_made_once_whatever_crashes_in_between() {
    let fixture = Fixture::new().await;
    let user = fixture.root();
    let file = prepare(&user).await;
    let mut sent = Vec::new();
    for (xid, operation) in (1..).zip(changes(file)) {
        let first = send(&user, xid, operation.clone()).await;
        assert!(first.is_ok(), "{operation:?}: {first:?}");
        let after = tree(&fixture.engine).await;
        fixture.clock.advance(Duration::from_secs(1));
        let again = send(&user, xid, operation.clone()).await;
        assert_eq!(again, first, "{operation:?}");
        assert_eq!(tree(&fixture.engine).await, after, "{operation:?}");
        sent.push((xid, operation, first));
    }
    // Others change all of it, so that nothing but the record can give the first replies.
    for other in ["made file", "made symlink", "made node", "replaced file"] {
        user.remove(ROOT, other).await.unwrap();
    }
    user.set(file, mode(0o400)).await.unwrap();
    let before = tree(&fixture.engine).await;
    replays_equal(&user, &sent).await;
    let fixture = fixture.crash().await;
    replays_equal(&fixture.root(), &sent).await;
    let fixture = fixture.crash().await;
    replays_equal(&fixture.root(), &sent).await;
    assert_eq!(tree(&fixture.engine).await, before);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn a_refusal_stays_one_though_the_call_would_be_granted_later() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let file = root.create(ROOT, "file", 0o600).await.unwrap().id;
    let refused = [
        (1, create("file"), FsError::Exists),
        (2, remove("absent"), FsError::NotFound),
        (3, rmdir("file"), FsError::NotDirectory),
        (4, rename("absent", "file"), FsError::NotFound),
    ];
    for (xid, operation, error) in &refused {
        assert_eq!(
            send(&root, *xid, operation.clone()).await,
            Err(*error),
            "{operation:?}"
        );
    }
    let chmod = set(file, mode(0o777));
    let denied = send(&user, 5, chmod.clone()).await;
    assert_eq!(denied, Err(FsError::NotPermitted));
    root.remove(ROOT, "file").await.unwrap();
    root.mkdir(ROOT, "absent", 0o755).await.unwrap();
    let fixture = fixture.crash().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    for (xid, operation, error) in refused {
        assert_eq!(send(&root, xid, operation).await, Err(error));
    }
    let denied = send(&user, 5, chmod).await;
    assert_eq!(denied, Err(FsError::NotPermitted));
    root.lookup(ROOT, "absent").await.unwrap();
}

#[tokio::test]
async fn what_differs_in_anything_is_a_call_of_its_own() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    send(&root, 1, create("file")).await.unwrap();
    let others = [
        CallId {
            checksum: 78,
            ..call(1)
        },
        CallId {
            procedure: 8,
            ..call(1)
        },
        CallId {
            client: Bytes::from_static(b"machine@192.0.2.2"),
            ..call(1)
        },
        call(1).second_change(),
        call(2),
    ];
    for other in others {
        let refused = send_as(&root, other.clone(), create("file")).await;
        assert_eq!(refused, Err(FsError::Exists), "{other:?}");
    }
    let another_user = send(&fixture.user(10, 10), 1, create("file")).await;
    assert_eq!(another_user, Err(FsError::Exists));
}

#[tokio::test]
async fn a_duplicate_of_a_running_call_waits_for_its_end() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    fixture.engine.hold_flushes(true);
    let mut sent = Vec::new();
    for _ in 0..3 {
        let root = root.clone();
        sent.push(tokio::spawn(
            async move { send(&root, 1, create("file")).await },
        ));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert!(sent.iter().all(|sent| !sent.is_finished()));
    fixture.engine.flush().unwrap();
    let mut results = Vec::new();
    for sent in sent {
        results.push(sent.await.unwrap());
    }
    assert!(results[0].is_ok());
    assert_eq!(results[1], results[0]);
    assert_eq!(results[2], results[0]);
}

#[tokio::test]
async fn the_first_that_waits_runs_a_call_that_ended_without_a_reply() {
    let (engine, clock) = (Arc::new(MemoryEngine::new()), ManualClock::new());
    let config = MetaConfig::default();
    let replies = Replies::open(engine, 1, &config, clock).await.unwrap();
    let mut context = CallContext::internal();
    context.call = Some(call(1));
    let plan = plan(&create("file"));
    let first = replies.begin(&context, &plan).await.unwrap();
    let Begun::First(first) = first else {
        panic!("nothing is recorded: {first:?}");
    };
    let second = async {
        let begun = replies.begin(&context, &plan).await.unwrap();
        assert!(matches!(begun, Begun::First(_)), "{begun:?}");
    };
    let mut second = std::pin::pin!(second);
    tokio::select! {
        biased;
        () = &mut second => panic!("both run"),
        () = tokio::task::yield_now() => {}
    }
    drop(first);
    second.await;
}

#[tokio::test]
async fn a_duplicate_of_a_call_that_was_dropped_is_answered() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    fixture.engine.hold_flushes(true);
    let spawn = |root: User| tokio::spawn(async move { send(&root, 1, create("file")).await });
    let first = spawn(root.clone());
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    // It was committed, and nobody waits for its flush any more.
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let again = spawn(root.clone());
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(
        !again.is_finished(),
        "what is not durable is shown to nobody"
    );
    fixture.engine.hold_flushes(false);
    fixture.engine.flush().unwrap();
    assert!(again.await.unwrap().is_ok());
    assert_eq!(
        send(&root, 2, create("file")).await,
        Err(FsError::Exists),
        "it is there"
    );
}

#[tokio::test]
async fn an_effect_that_a_crash_took_back_is_made_by_the_call_that_comes_again() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    fixture.engine.hold_flushes(true);
    let first = tokio::spawn({
        let root = root.clone();
        async move { send(&root, 1, create("file")).await }
    });
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let fixture = fixture.crash().await;
    assert_eq!(first.await.unwrap(), Err(FsError::Unavailable));
    let root = fixture.root();
    assert_eq!(root.lookup(ROOT, "file").await, Err(FsError::NotFound));
    assert!(send(&root, 1, create("file")).await.is_ok());
}

#[tokio::test]
async fn what_only_says_to_ask_again_is_not_recorded() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let node = root.create(ROOT, "file", 0o644).await.unwrap();
    let mut set = SetInode {
        inode: node.id,
        changes: mode(0o600),
        guard: None,
        data_version: Some(sluice_types::DataVersion::new(u64::MAX)),
    };
    assert_eq!(send(&root, 1, set.clone().into()).await, Err(FsError::Busy));
    assert_eq!(stored(&fixture.engine).await, 0);
    set.data_version = Some(node.data_version);
    assert!(send(&root, 1, set.into()).await.is_ok());
    assert_eq!(stored(&fixture.engine).await, 1);
}

#[tokio::test]
async fn calls_that_change_nothing_or_have_no_number_leave_no_trace() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    root.create(ROOT, "file", 0o644).await.unwrap();
    let get = GetInode { inode: ROOT };
    let first = send(&root, 1, get.into()).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    root.create(ROOT, "another", 0o644).await.unwrap();
    assert_ne!(send(&root, 1, get.into()).await.unwrap(), first);
    assert_eq!(stored(&fixture.engine).await, 0);
}

/// A gateway's sign of life, upon which old replies are removed, and the time that takes.
async fn heartbeat(root: &User) {
    root.run(OpenSession::new("gateway")).await.unwrap();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn replies_are_removed_when_they_are_old() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let kept = MetaConfig::default().replies_kept;
    for xid in 0..3000 {
        send(&root, xid, remove("absent")).await.unwrap_err();
    }
    fixture.clock.advance(kept - Duration::from_secs(1));
    send(&root, 3000, remove("absent")).await.unwrap_err();
    heartbeat(&root).await;
    assert_eq!(stored(&fixture.engine).await, 3001);
    // A restart does not make them young.
    let fixture = fixture.crash().await;
    let root = fixture.root();
    fixture.clock.advance(Duration::from_secs(1));
    heartbeat(&root).await;
    assert_eq!(stored(&fixture.engine).await, 1);
    root.create(ROOT, "absent", 0o644).await.unwrap();
    let young = send(&root, 3000, remove("absent")).await;
    assert_eq!(young, Err(FsError::NotFound), "still known");
    let old = send(&root, 0, remove("absent")).await;
    assert!(old.is_ok(), "a new call by now");
    let fixture = fixture.crash().await;
    assert!(send(&fixture.root(), 0, remove("absent")).await.is_ok());
    fixture.clock.advance(kept);
    let fixture = fixture.crash().await;
    heartbeat(&fixture.root()).await;
    assert_eq!(stored(&fixture.engine).await, 0);
}

#[tokio::test]
async fn the_oldest_replies_go_when_there_are_too_many() {
    let engine = Arc::new(MemoryEngine::new());
    let config = MetaConfig {
        replies_max: 10,
        ..MetaConfig::default()
    };
    let (clock, rng) = (ManualClock::new(), SeededRng::new(1));
    let service = MetaService::open(engine.clone(), config, clock, rng);
    let root = User::new(service.await.unwrap(), sluice_types::Credentials::root());
    let root = root.with_session(0);
    for xid in 0..100 {
        send(&root, xid, remove("absent")).await.unwrap_err();
    }
    heartbeat(&root).await;
    assert_eq!(stored(&engine).await, 10);
    root.create(ROOT, "absent", 0o644).await.unwrap();
    for xid in 90..100 {
        let known = send(&root, xid, remove("absent")).await;
        assert_eq!(known, Err(FsError::NotFound), "{xid}");
    }
    assert!(send(&root, 89, remove("absent")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_duplicates_at_once_make_one_change() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    for xid in 0..100 {
        let operation = create(&format!("file {xid}"));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (root, operation) = (root.clone(), operation.clone());
            tasks.spawn(async move { send(&root, xid, operation).await });
        }
        let results = tasks.join_all().await;
        assert!(results[0].is_ok(), "{results:?}");
        assert!(results.iter().all(|result| *result == results[0]));
    }
    fixture.assert_sound().await;
}
