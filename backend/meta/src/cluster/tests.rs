//! Registration, formation, and what changes the map.

use std::sync::Arc;
use std::time::Duration;

use sluice_types::{FsError, MapVersion, TargetId, TargetState, TargetUuid};
use sluice_wire::meta::{GetMap, RegisterTargets, Registered, TargetReport};

use crate::tests::support::Fixture;

fn report(uuid: u128) -> TargetReport {
    TargetReport {
        uuid: TargetUuid::new(uuid),
        capacity_bytes: 1 << 30,
        used_bytes: 0,
        failed: false,
    }
}

async fn register(fixture: &Fixture, address: &str, uuids: &[u128]) -> Registered {
    let request = RegisterTargets {
        address: address.into(),
        targets: uuids.iter().copied().map(report).collect(),
    };
    fixture.root().run(request).await.unwrap()
}

async fn map(fixture: &Fixture) -> Result<sluice_types::ClusterMap, FsError> {
    let known = MapVersion::new(0);
    fixture.root().run(GetMap { known }).await
}

fn numbers(registered: &Registered) -> Vec<u32> {
    registered
        .targets
        .iter()
        .map(|target| target.raw())
        .collect()
}

#[tokio::test]
async fn the_cluster_is_formed_when_enough_targets_are_there() {
    let fixture = Fixture::new().await;
    let first = register(&fixture, "a:1", &[100, 50, 70]).await;
    assert_eq!(numbers(&first), [1, 2, 3]);
    assert_eq!(first.map, None);
    assert_eq!(map(&fixture).await, Err(FsError::Unavailable));
    assert_eq!(
        numbers(&register(&fixture, "a:1", &[70, 100]).await),
        [3, 1]
    );
    let formed = register(&fixture, "b:1", &[60]).await;
    assert_eq!(numbers(&formed), [4]);
    let formed = formed.map.unwrap();
    assert_eq!(formed.version, MapVersion::new(1));
    assert_eq!(formed.targets.len(), 4);
    assert_eq!(formed.groups.len(), 64);
    for pair in formed.groups.windows(2) {
        assert_ne!(pair[0].replicas, pair[1].replicas);
    }
    for target in &formed.targets {
        let own = formed
            .groups
            .iter()
            .filter(|group| group.replicas == [target.id]);
        assert_eq!(own.count(), 16);
        assert_eq!(target.state, TargetState::Online);
    }
    assert_eq!(map(&fixture).await.unwrap(), formed);
    // All is found again, also by a target that comes back.
    let fixture = fixture.crash().await;
    assert_eq!(map(&fixture).await.unwrap(), formed);
    assert_eq!(numbers(&register(&fixture, "b:1", &[60]).await), [4]);
    assert_eq!(map(&fixture).await.unwrap(), formed);
}

#[tokio::test]
async fn a_new_address_is_a_new_version() {
    let fixture = Fixture::new().await;
    let formed = register(&fixture, "a:1", &[1, 2, 3, 4]).await.map.unwrap();
    let moved = register(&fixture, "a:2", &[2]).await.map.unwrap();
    assert_eq!(moved.version, MapVersion::new(2));
    assert_eq!(moved.groups, formed.groups);
    let second = moved.target(TargetId::new(2)).unwrap();
    assert_eq!(second.address, "a:2");
    let fixture = fixture.crash().await;
    assert_eq!(map(&fixture).await.unwrap(), moved);
}

#[tokio::test]
async fn a_silent_or_failed_target_is_offline_until_it_is_back() {
    let fixture = Fixture::new().await;
    let formed = register(&fixture, "a:1", &[1, 2, 3, 4]).await.map.unwrap();
    fixture.clock.advance(Duration::from_secs(8));
    register(&fixture, "a:1", &[1, 2, 3]).await;
    assert_eq!(map(&fixture).await.unwrap(), formed);
    fixture.clock.advance(Duration::from_secs(8));
    register(&fixture, "a:1", &[1, 2, 3]).await;
    let silent = map(&fixture).await.unwrap();
    assert_eq!(silent.version, MapVersion::new(2));
    assert_eq!(silent.groups, formed.groups);
    let states = |map: &sluice_types::ClusterMap| -> Vec<TargetState> {
        map.targets.iter().map(|target| target.state).collect()
    };
    let (on, off) = (TargetState::Online, TargetState::Offline);
    assert_eq!(states(&silent), [on, on, on, off]);
    let back = register(&fixture, "a:1", &[4]).await.map.unwrap();
    assert_eq!(states(&back), [on; 4]);
    let failed = RegisterTargets {
        address: "a:1".into(),
        targets: vec![TargetReport {
            failed: true,
            ..report(2)
        }],
    };
    let failed = fixture.root().run(failed).await.unwrap().map.unwrap();
    assert_eq!(states(&failed), [on, off, on, on]);
    assert_eq!(failed.version, MapVersion::new(4));
}

#[tokio::test]
async fn a_late_target_has_a_number_and_no_group() {
    let fixture = Fixture::new().await;
    let formed = register(&fixture, "a:1", &[1, 2, 3, 4]).await.map.unwrap();
    let late = register(&fixture, "a:1", &[5]).await;
    assert_eq!(numbers(&late), [5]);
    assert_eq!(late.map.unwrap(), formed);
}

#[tokio::test]
async fn a_target_is_named_once_in_a_report() {
    let fixture = Fixture::new().await;
    let request = RegisterTargets {
        address: String::new(),
        targets: vec![report(1), report(1)],
    };
    let refused = fixture.root().run(request).await.map(|_| ());
    assert_eq!(refused, Err(FsError::Invalid));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_that_register_at_once_get_different_numbers() {
    let fixture = Arc::new(Fixture::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for uuid in 1..=20 {
        let fixture = Arc::clone(&fixture);
        tasks.spawn(async move { numbers(&register(&fixture, "a:1", &[uuid]).await) });
    }
    let mut all = tasks.join_all().await.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_number_is_given_once_although_its_caller_went_away() {
    let fixture = Fixture::new().await;
    fixture.engine.hold_flushes(true);
    let root = fixture.root();
    let first = tokio::spawn(async move {
        let request = RegisterTargets {
            address: "a:1".into(),
            targets: vec![report(100)],
        };
        root.run(request).await
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    fixture.engine.hold_flushes(false);
    assert_eq!(numbers(&register(&fixture, "b:1", &[200]).await), [2]);
    assert_eq!(numbers(&register(&fixture, "a:1", &[100]).await), [1]);
}

#[tokio::test]
async fn a_failed_store_shows_when_the_map_is_asked_for() {
    let fixture = Fixture::new().await;
    register(&fixture, "a:1", &[1, 2, 3, 4]).await;
    map(&fixture).await.unwrap();
    let _survived = fixture.engine.crash();
    assert!(fixture.service.failure().is_some());
    assert_eq!(map(&fixture).await, Err(FsError::Unavailable));
}
