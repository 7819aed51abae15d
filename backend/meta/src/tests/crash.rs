//! After a crash at any moment, what was acknowledged is there, and nothing is half there.
//!
//! Several clients work at once, each below a directory of its own and with a model of it. When the power goes,
//! each has at most one operation whose reply it did not get: that one may have been done or not.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::{FsError, InodeId, SystemClock};

use super::model::{Model, Step, carry_out, nobody, picture};
use super::support::{Fixture, ManualClock, ROOT, SeededRng, User, open};
use crate::kv::{EmbeddedEngine, EmbeddedOptions, Engine, MemoryEngine};

/// What a client knows when the power goes.
#[derive(Debug)]
struct Client {
    top: InodeId,
    model: Model,
    /// Sent, and not answered.
    pending: Option<Step>,
    acknowledged: u64,
}

impl Client {
    async fn start(user: &User, name: &str) -> Arc<Mutex<Self>> {
        let top = user.mkdir(ROOT, name, 0o755).await.unwrap().id;
        Arc::new(Mutex::new(Self {
            top,
            model: Model::new(top),
            pending: None,
            acknowledged: 0,
        }))
    }

    /// Works until the service does not answer any more.
    async fn work(client: Arc<Mutex<Self>>, user: User, seed: u64) {
        let rng = SeededRng::new(seed);
        loop {
            let step = client.lock().model.random_step(&rng);
            client.lock().pending = Some(step.clone());
            let done = carry_out(&user, &step).await;
            if done == Err(FsError::Unavailable) {
                return;
            }
            let mut client = client.lock();
            let made = done.ok().flatten().unwrap_or_else(|| nobody(&rng));
            let expected = client.model.apply(&step, made);
            assert_eq!(done.map(|_| ()), expected, "{step:?}");
            client.pending = None;
            client.acknowledged += 1;
        }
    }

    /// The tree is as the client knows it, with or without what was pending.
    async fn assert_kept(&mut self, user: &User) {
        let found = picture(user, self.top).await;
        let without = self.model.picture();
        let mut with = self.model.clone();
        if let Some(step) = self.pending.take() {
            // A refusal would have changed nothing.
            let _ = with.apply(&step, nobody(&SeededRng::new(1)));
        }
        if found != without {
            assert_eq!(found, with.picture());
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    for seed in 0..10 {
        let fixture = Fixture::over(Arc::new(MemoryEngine::new()), ManualClock::new()).await;
        let mut clients = Vec::new();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..6 {
            let client = Client::start(&fixture.root(), &format!("client {number}")).await;
            tasks.spawn(Client::work(
                client.clone(),
                fixture.root(),
                seed * 100 + number,
            ));
            clients.push(client);
        }
        let rng = SeededRng::new(seed);
        for _ in 0..100 + rng.below(400) {
            tokio::task::yield_now().await;
        }
        // So that there is something to lose.
        fixture.engine.hold_flushes(true);
        for _ in 0..rng.below(30) {
            tokio::task::yield_now().await;
        }
        let fixture = fixture.crash().await;
        tasks.join_all().await;
        fixture.assert_sound().await;
        let mut acknowledged = 0;
        for client in clients {
            // Nobody else works any more, so holding the lock across the comparison hurts no one.
            let mut client = Arc::try_unwrap(client).unwrap().into_inner();
            client.assert_kept(&fixture.root()).await;
            acknowledged += client.acknowledged;
        }
        assert!(
            acknowledged > 20,
            "seed {seed}: only {acknowledged} operations"
        );
    }
}

fn open_embedded(directory: &Path) -> Arc<dyn Engine> {
    let clock = Arc::new(SystemClock::new());
    Arc::new(EmbeddedEngine::open(directory, EmbeddedOptions::default(), clock).unwrap())
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut clients = Vec::new();
    for life in 0..4_u64 {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let clock = Arc::new(SystemClock::new());
            let service = open(open_embedded(directory.path()), clock).await;
            let problems = service.check().await.unwrap();
            assert!(problems.is_empty(), "life {life}: {problems:#?}");
            let root = User::new(service, sluice_types::Credentials::root());
            for client in std::mem::take(&mut clients) {
                let client: Arc<Mutex<Client>> = client;
                let mut client = Arc::try_unwrap(client).unwrap().into_inner();
                client.assert_kept(&root).await;
                assert!(client.acknowledged > 0, "life {life}");
            }
            for number in 0..4 {
                let name = format!("client {life}.{number}");
                let client = Client::start(&root, &name).await;
                tokio::spawn(Client::work(
                    client.clone(),
                    root.clone(),
                    life * 10 + number,
                ));
                clients.push(client);
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
            // However slow the machine; a client that failed is never answered.
            let all_answered = async {
                while clients.iter().any(|client| client.lock().acknowledged == 0) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            let answered = tokio::time::timeout(Duration::from_secs(60), all_answered).await;
            answered.expect("every client is answered");
        });
        // Every task ends where it stands, and the engine is dropped without a last flush.
        drop(runtime);
    }
}

#[tokio::test]
async fn no_reply_shows_what_a_power_cut_could_take_back() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let quiet = root.mkdir(ROOT, "quiet", 0o755).await.unwrap();
    let busy = root.mkdir(ROOT, "busy", 0o755).await.unwrap();
    let old = root.create(busy.id, "old", 0o644).await.unwrap();
    fixture.engine.hold_flushes(true);
    let create = tokio::spawn({
        let root = root.clone();
        async move { root.create(busy.id, "new", 0o644).await }
    });
    settle().await;
    assert!(!create.is_finished(), "not durable, so not answered");
    // Whatever shows the new entry waits, be it a refusal; what does not touch it is answered at once.
    let mut waiting = Vec::new();
    for ask in 0..5 {
        let root = root.clone();
        waiting.push(tokio::spawn(async move {
            match ask {
                0 => root.lookup(busy.id, "new").await.map(|_| ()),
                1 => root.inode(busy.id).await.map(|_| ()),
                2 => root.list(busy.id, 0, 10).await.map(|_| ()),
                3 => root.create(busy.id, "new", 0o644).await.map(|_| ()),
                _ => root.rmdir(ROOT, "busy").await.map(|_| ()),
            }
        }));
    }
    settle().await;
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    root.inode(old.id).await.unwrap();
    root.lookup(ROOT, "quiet").await.unwrap();
    assert!(root.list(quiet.id, 0, 10).await.unwrap().end);
    fixture.engine.flush().unwrap();
    create.await.unwrap().unwrap();
    let mut results = Vec::new();
    for waiting in waiting {
        results.push(waiting.await.unwrap());
    }
    let refusals = [Err(FsError::Exists), Err(FsError::NotEmpty)];
    assert_eq!(results[..3], [Ok(()); 3]);
    assert_eq!(results[3..], refusals);
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}
