//! How the service holds up when its store is slow, full or gone.

use std::sync::Arc;

use sluice_types::{Credentials, FsError, SystemClock};
use sluice_wire::meta::{CreateHow, GetMap, OpenSession, RegisterTargets};

use super::support::{ManualClock, ROOT, SeededRng, User, mode, open};
use crate::kv::{EmbeddedEngine, EmbeddedOptions, MemoryEngine};
use crate::{MetaConfig, MetaService};

#[tokio::test]
async fn sessions_and_targets_are_heard_while_all_places_are_taken() {
    let engine = Arc::new(MemoryEngine::new());
    let config = MetaConfig {
        operations_in_flight_max: 1,
        initial_targets: 1,
        ..MetaConfig::default()
    };
    let (clock, rng) = (ManualClock::new(), SeededRng::new(1));
    let service = MetaService::open(engine.clone(), config, clock, rng);
    let root = User::new(service.await.unwrap(), Credentials::root());
    let register = RegisterTargets {
        address: "a:1".into(),
        targets: Vec::new(),
    };
    let session = OpenSession::new("gateway");
    let opened = root.run(session.clone()).await.unwrap().session;
    let session = session.renewing(opened);
    engine.hold_flushes(true);
    let stuck = tokio::spawn({
        let root = root.clone();
        async move { root.create(ROOT, "stuck", 0o644).await }
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!stuck.is_finished());
    root.run(session).await.unwrap();
    root.run(register).await.unwrap();
    let known = sluice_types::MapVersion::new(0);
    assert_eq!(root.run(GetMap { known }).await, Err(FsError::Unavailable));
    engine.flush().unwrap();
    stuck.await.unwrap().unwrap();
}

async fn over(directory: &std::path::Path, free_bytes_min: u64) -> User {
    let options = EmbeddedOptions {
        free_bytes_min,
        ..EmbeddedOptions::default()
    };
    let clock = Arc::new(SystemClock::new());
    let engine = EmbeddedEngine::open(directory, options, clock.clone()).unwrap();
    User::new(open(Arc::new(engine), clock).await, Credentials::root())
}

#[tokio::test]
async fn with_little_space_left_nothing_is_made_but_all_else_works() {
    let directory = tempfile::tempdir().unwrap();
    let root = over(directory.path(), 0).await;
    let file = root.create(ROOT, "file", 0o644).await.unwrap();
    drop(root);
    let root = over(directory.path(), u64::MAX).await;
    assert_eq!(
        root.create(ROOT, "more", 0o644).await,
        Err(FsError::NoSpace)
    );
    assert_eq!(root.mkdir(ROOT, "more", 0o755).await, Err(FsError::NoSpace));
    // Opening what is there makes nothing.
    let opened = root.create_how(ROOT, "file", CreateHow::Unchecked(mode(0o644)));
    assert_eq!(opened.await.unwrap().node.id, file.id);
    root.set(file.id, mode(0o600)).await.unwrap();
    root.rename((ROOT, "file"), (ROOT, "renamed"))
        .await
        .unwrap();
    root.remove(ROOT, "renamed").await.unwrap();
}
