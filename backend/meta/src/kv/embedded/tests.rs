//! What is on disk when a process is killed while it makes a store.

use sluice_types::SystemClock;

use super::*;

fn open(directory: &Path) -> Result<EmbeddedEngine, KvError> {
    let clock = Arc::new(SystemClock::new());
    EmbeddedEngine::open(directory, EmbeddedOptions::default(), clock)
}

async fn is_usable(directory: &Path) {
    for life in 0..2 {
        let engine = open(directory).unwrap();
        let mut transaction = engine.begin(Isolation::Serializable);
        let before = transaction.get(&Key::new(b"key")).await.unwrap();
        assert_eq!(before.is_some(), life > 0);
        transaction.put(Key::new(b"key"), Bytes::new());
        let point = transaction.commit().await.unwrap();
        engine.durable(point).await.unwrap();
    }
    assert!(!directory.join(Unfinished::NAME).exists());
}

#[tokio::test]
async fn a_store_whose_making_was_cut_short_is_made_again() {
    let made = tempfile::tempdir().unwrap();
    drop(open(made.path()).unwrap());
    // In the order in which they are made: folders, the journal, the version.
    for kept in 0..=3 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join(Unfinished::NAME), []).unwrap();
        if kept > 0 {
            std::fs::create_dir_all(path.join("keyspaces/0")).unwrap();
        }
        if kept > 1 {
            std::fs::copy(made.path().join("0.jnl"), path.join("0.jnl")).unwrap();
        }
        if kept > 2 {
            std::fs::write(path.join("version"), []).unwrap();
        }
        is_usable(path).await;
    }
}

#[tokio::test]
async fn a_directory_is_made_with_all_above_it() {
    let directory = tempfile::tempdir().unwrap();
    is_usable(&directory.path().join("some/where/else")).await;
}

#[test]
fn nobody_else_makes_a_store_at_the_same_time() {
    let directory = tempfile::tempdir().unwrap();
    let _maker = Unfinished::note(directory.path()).unwrap().unwrap();
    let refused = open(directory.path()).map(|_| ()).unwrap_err();
    assert!(
        refused.to_string().contains("making a new store"),
        "{refused}"
    );
}

#[test]
fn what_is_not_a_store_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let precious = directory.path().join("0.jnl");
    std::fs::write(&precious, "precious").unwrap();
    open(directory.path()).map(|_| ()).unwrap_err();
    assert_eq!(std::fs::read(precious).unwrap(), b"precious");
}

/// What its threads meet, nobody is told: not even a writer that waits for them.
#[tokio::test]
async fn a_store_whose_threads_have_died_is_seen_to_have_failed() {
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path()).unwrap();
    let mut transaction = engine.begin(Isolation::Serializable);
    transaction.put(Key::new(b"key"), Bytes::new());
    let point = transaction.commit().await.unwrap();
    engine.durable(point).await.unwrap();
    assert_eq!(engine.failure(), None);
    // Where the next table would be written.
    std::fs::remove_dir_all(directory.path().join("keyspaces")).unwrap();
    engine.shared.base().pairs.rotate_memtable().unwrap();
    let failed = async {
        while engine.failure().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let soon = Duration::from_secs(10);
    tokio::time::timeout(soon, failed)
        .await
        .expect("it is seen");
}
