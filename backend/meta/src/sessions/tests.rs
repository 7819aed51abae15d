use super::*;
use crate::kv::MemoryEngine;

const LIFETIME: Duration = Duration::from_secs(5);

struct World {
    engine: Arc<dyn Engine>,
    memory: Arc<MemoryEngine>,
    sessions: Sessions,
}

impl World {
    async fn new() -> Self {
        Self::over(Arc::new(MemoryEngine::new()), false).await
    }

    async fn over(memory: Arc<MemoryEngine>, forget_all: bool) -> Self {
        let engine: Arc<dyn Engine> = memory.clone();
        let sessions = Sessions::open(&engine, LIFETIME, forget_all, seconds(0)).await;
        Self {
            sessions: sessions.unwrap(),
            engine,
            memory,
        }
    }

    async fn open(&self, instance: &str, holds_leases: bool, now: u64) -> Standing {
        let request = OpenSession {
            instance: instance.into(),
            holds_leases,
            ..OpenSession::new("test")
        };
        let opening = self
            .sessions
            .begin_or_renew(&self.engine, &request, seconds(now));
        opening.await.unwrap()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_session_lapses_when_it_is_not_renewed_and_fences_what_comes_later() {
    let world = World::new().await;
    let first = world.open("", true, 0).await.session;
    let second = world.open("", true, 0).await.session;
    world
        .sessions
        .renew(second, LeaseTerm::new(0), seconds(3))
        .unwrap();
    let end = |now| world.sessions.end_lapsed(&world.engine, seconds(now));
    assert!(!end(5).await.unwrap());
    assert!(end(6).await.unwrap());
    assert!(world.sessions.has_ended(first) && !world.sessions.is_live(first));
    assert!(world.sessions.is_live(second));
    let live = world.sessions.live();
    assert_eq!(live.epoch, FenceEpoch::new(1));
    assert!(live.is_fenced(first) && !live.is_fenced(second));
    assert!(world.sessions.committing(first).await.is_err());
    let renewed = world.sessions.renew(first, LeaseTerm::new(0), seconds(6));
    assert!(renewed.is_err());
    // It stays so over a crash.
    let survived = Arc::new(world.memory.crash());
    let world = World::over(survived, false).await;
    assert_eq!(world.sessions.live(), live);
}

#[tokio::test]
async fn an_end_waits_for_commits_under_way() {
    let world = World::new().await;
    let session = world.open("", false, 0).await.session;
    let committing = world.sessions.committing(session).await.unwrap();
    let mut closing = Box::pin(world.sessions.close(&world.engine, session));
    for _ in 0..10 {
        assert!(futures_pending(closing.as_mut()).await);
        assert!(!world.sessions.has_ended(session));
    }
    assert!(!world.sessions.is_live(session), "no further one begins");
    drop(committing);
    closing.await.unwrap();
    assert!(world.sessions.has_ended(session));
}

async fn futures_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
    tokio::task::yield_now().await;
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.poll(&mut context).is_pending()
}

#[tokio::test]
async fn a_process_that_comes_back_ends_its_earlier_session() {
    let world = World::new().await;
    let first = world.open("a:2049", true, 0).await;
    let other = world.open("b:2049", true, 0).await;
    let second = world.open("a:2049", true, 1).await;
    assert!(world.sessions.has_ended(first.session));
    assert!(world.sessions.is_live(other.session));
    assert!(world.sessions.is_live(second.session));
    assert_eq!(second.epoch.raw(), first.epoch.raw() + 1);
}

#[tokio::test]
async fn where_all_start_together_none_is_left_from_before() {
    let world = World::new().await;
    let session = world.open("", true, 0).await.session;
    let world = World::over(world.memory, true).await;
    assert!(world.sessions.has_ended(session));
    assert!(world.sessions.live().is_fenced(session));
    assert!(world.open("", true, 0).await.session > session);
}

#[tokio::test]
async fn a_second_gateway_and_a_restart_begin_terms_that_others_wait_for() {
    let world = World::new().await;
    let first = world.open("", true, 0).await;
    let storage = world.open("", false, 0).await;
    assert!(world.sessions.unsynced_beside(storage.session).is_empty());
    assert!(!world.sessions.share_leases());
    let second = world.open("", true, 0).await;
    assert!(world.sessions.share_leases());
    assert!(second.term > first.term);
    assert_eq!(
        world.sessions.unsynced_beside(second.session),
        [first.session]
    );
    assert!(world.sessions.unsynced_beside(first.session).is_empty());
    world
        .sessions
        .renew(first.session, second.term, seconds(1))
        .unwrap();
    assert!(world.sessions.unsynced_beside(second.session).is_empty());
    let world = World::over(world.memory, false).await;
    let unsynced = world.sessions.unsynced_beside(second.session);
    assert_eq!(unsynced, [first.session], "of those who hold leases");
    let standing = world.sessions.standing(first.session).unwrap();
    assert!(standing.term > second.term);
}
