//! What the overlay does that no engine shows from outside.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::kv::Transaction;

/// A base whose writes can be made to fail.
#[derive(Debug, Default)]
struct TestBase {
    pairs: Mutex<BTreeMap<Key, Bytes>>,
    broken: AtomicBool,
    panics: AtomicBool,
    /// Writes wait for its threads, which are dead.
    hangs: AtomicBool,
    /// A write came as far as here.
    entered: AtomicBool,
}

impl Base for TestBase {
    fn get(&self, key: &Key) -> Result<Option<Bytes>, KvError> {
        Ok(self.pairs.lock().get(key).cloned())
    }

    fn range(&self, _: &KeyRange, _: usize) -> Result<Vec<(Key, Bytes)>, KvError> {
        Ok(Vec::new())
    }

    fn apply(&self, batch: Vec<BatchEntry>) -> Result<(), KvError> {
        self.entered.store(true, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "a bug in the base");
        while self.hangs.load(Ordering::SeqCst) {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err(KvError::NoSpace { doing: "testing" });
        }
        for (key, value) in batch {
            self.pairs.lock().insert(key, value.unwrap_or_default());
        }
        Ok(())
    }

    fn failure(&self) -> Option<KvError> {
        let hangs = self.hangs.load(Ordering::SeqCst);
        hangs.then_some(KvError::NoSpace { doing: "merging" })
    }
}

fn shared() -> Arc<GroupCommit<TestBase>> {
    Arc::new(GroupCommit::new(TestBase::default()))
}

async fn put(shared: &Arc<GroupCommit<TestBase>>, key: &str) -> Result<CommitPoint, KvError> {
    let mut transaction = Box::new(shared.begin(Isolation::Serializable));
    transaction.put(Key::new(key.as_bytes()), Bytes::from_static(b"1"));
    transaction.commit().await
}

#[tokio::test]
async fn the_overlay_is_empty_when_nothing_needs_it() {
    let shared = shared();
    for number in 0..10 {
        put(&shared, &format!("{number}")).await.unwrap();
    }
    assert_eq!(shared.flush().unwrap(), Flushed { commits: 10 });
    assert_eq!(shared.flush().unwrap(), Flushed { commits: 0 });
    let state = shared.state.lock();
    assert_eq!((state.overlay.len(), state.commits.len()), (0, 0));
    assert!(state.active.is_empty());
}

#[tokio::test]
async fn what_a_running_transaction_may_conflict_with_is_kept() {
    let shared = shared();
    put(&shared, "before").await.unwrap();
    let mut running = Box::new(shared.begin(Isolation::Serializable));
    running.get(&Key::new(b"key")).await.unwrap();
    running.put(Key::new(b"other"), Bytes::new());
    put(&shared, "key").await.unwrap();
    shared.flush().unwrap();
    assert_eq!(
        shared.state.lock().overlay.len(),
        1,
        "only what is newer than it"
    );
    assert_eq!(running.commit().await, Err(KvError::Conflict));
    put(&shared, "after").await.unwrap();
    shared.flush().unwrap();
    assert_eq!(shared.state.lock().overlay.len(), 0);
}

#[tokio::test]
async fn a_failed_flush_fails_all_who_wait_and_all_later_commits() {
    let shared = shared();
    let durable = put(&shared, "durable").await.unwrap();
    shared.flush().unwrap();
    shared.base().broken.store(true, Ordering::SeqCst);
    let lost = put(&shared, "lost").await.unwrap();
    assert_eq!(shared.failure(), None);
    shared.flush().unwrap_err();
    assert!(shared.failure().unwrap().contains("no space"));
    assert_eq!(shared.wait_flushed(durable).await, Ok(()));
    let waited = shared.wait_flushed(lost).await;
    assert!(matches!(waited, Err(KvError::Failed { .. })));
    // Also when the disk has space again: what failed once is in an unknown state.
    shared.base().broken.store(false, Ordering::SeqCst);
    assert!(matches!(
        put(&shared, "late").await,
        Err(KvError::Failed { .. })
    ));
    assert!(shared.flush().is_err());
}

#[tokio::test]
async fn a_flush_that_panics_leaves_nobody_waiting() {
    let shared = shared();
    let lost = put(&shared, "lost").await.unwrap();
    shared.base().panics.store(true, Ordering::SeqCst);
    shared.flush().unwrap_err();
    assert!(shared.failure().unwrap().contains("panicked"));
    assert!(shared.wait_flushed(lost).await.is_err());
}

/// Nobody waits for these commits, as when their callers went away.
#[tokio::test]
async fn what_is_not_flushed_is_bounded() {
    let shared = shared();
    for number in 0..UNFLUSHED_MAX {
        put(&shared, &format!("{number}")).await.unwrap();
    }
    let late = tokio::spawn({
        let shared = Arc::clone(&shared);
        async move { put(&shared, "late").await }
    });
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert!(!late.is_finished());
    assert_eq!(shared.state.lock().committed, UNFLUSHED_MAX);
    let flushed = shared.flush().unwrap();
    assert_eq!(flushed.commits, UNFLUSHED_MAX);
    late.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_flusher_waits_for_the_company_it_had_and_no_longer() {
    let shared = shared();
    put(&shared, "one").await.unwrap();
    let had = Flushed { commits: 3 };
    // In vain: nobody else comes.
    let patience = Duration::from_millis(1);
    assert!(shared.wait_for_commits(had, patience));
    // And not at all once as many are there: this would take for ever.
    put(&shared, "two").await.unwrap();
    put(&shared, "three").await.unwrap();
    assert!(shared.wait_for_commits(had, Duration::MAX));
    shared.close();
    assert!(!shared.wait_for_commits(had, Duration::MAX));
}

/// A writer that waits for its store's dead threads hangs for ever; whoever waits for the writer must not.
#[tokio::test]
async fn nobody_waits_for_a_flush_that_hangs_in_a_store_that_has_failed() {
    let shared = shared();
    let point = put(&shared, "key").await.unwrap();
    shared.base.hangs.store(true, Ordering::SeqCst);
    let of_flusher = Arc::clone(&shared);
    let flusher = std::thread::spawn(move || of_flusher.flush());
    let hanging = async {
        while !shared.base.entered.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let hanging = tokio::time::timeout(Duration::from_secs(10), hanging);
    hanging.await.expect("a flush under way");
    let of_watch = Arc::clone(&shared);
    let watch = std::thread::spawn(move || of_watch.watch_base(Duration::from_millis(1)));
    let waiting = tokio::time::timeout(Duration::from_secs(10), shared.wait_flushed(point));
    let failed = waiting.await.expect("an answer").unwrap_err();
    assert!(failed.to_string().contains("merging"), "{failed}");
    assert!(put(&shared, "more").await.is_err());
    shared.base.hangs.store(false, Ordering::SeqCst);
    watch.join().unwrap();
    flusher.join().unwrap().unwrap();
}
