//! What every engine must do, run against each of them.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sluice_types::SystemClock;

use super::{
    EmbeddedEngine, EmbeddedOptions, Engine, Isolation, Key, KeyRange, KvError, MemoryEngine,
    Transaction, counter_value,
};

fn key(text: &str) -> Key {
    Key::new(text.as_bytes())
}

fn value(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn range(start: &str, end: &str) -> KeyRange {
    KeyRange::new(key(start), key(end))
}

fn begin(engine: &dyn Engine) -> Box<dyn Transaction> {
    engine.begin(Isolation::Serializable)
}

/// Writes pairs and waits until they are durable.
async fn write(engine: &dyn Engine, pairs: &[(&str, &str)]) {
    let mut transaction = begin(engine);
    for (name, text) in pairs {
        transaction.put(key(name), value(text));
    }
    let point = transaction.commit().await.unwrap();
    engine.durable(point).await.unwrap();
}

async fn read(engine: &dyn Engine, name: &str) -> Option<Bytes> {
    let mut transaction = engine.begin(Isolation::Latest);
    transaction.get(&key(name)).await.unwrap()
}

async fn listed(transaction: &mut dyn Transaction, of: &KeyRange, limit: usize) -> Vec<String> {
    let pairs = transaction.range(of, limit).await.unwrap();
    pairs
        .iter()
        .map(|(key, value)| {
            let key = String::from_utf8_lossy(key.as_bytes()).into_owned();
            format!("{key}={}", String::from_utf8_lossy(value))
        })
        .collect()
}

async fn writes_are_visible_after_commit_only(engine: &dyn Engine) {
    let mut writer = begin(engine);
    writer.put(key("visible"), value("1"));
    assert_eq!(writer.get(&key("visible")).await.unwrap(), Some(value("1")));
    assert_eq!(read(engine, "visible").await, None);
    let point = writer.commit().await.unwrap();
    assert_eq!(read(engine, "visible").await, Some(value("1")));
    engine.durable(point).await.unwrap();
    assert!(engine.is_durable(point));

    let mut undone = begin(engine);
    undone.delete(key("visible"));
    assert_eq!(undone.get(&key("visible")).await.unwrap(), None);
    drop(undone);
    assert_eq!(read(engine, "visible").await, Some(value("1")));
}

async fn a_snapshot_stays_as_it_was(engine: &dyn Engine) {
    write(engine, &[("snap1", "old"), ("snap2", "old")]).await;
    let snapshot = engine.snapshot();
    write(engine, &[("snap1", "new"), ("snap3", "new")]).await;
    let mut removal = begin(engine);
    removal.delete(key("snap2"));
    let point = removal.commit().await.unwrap();
    engine.durable(point).await.unwrap();
    let all = range("snap", "snaq");
    let expected = ["snap1=old", "snap2=old"];
    assert_eq!(listed(&mut *begin(&*snapshot), &all, 9).await, expected);
    assert_eq!(read(&*snapshot, "snap3").await, None);
    let now = ["snap1=new", "snap3=new"];
    assert_eq!(listed(&mut *begin(engine), &all, 9).await, now);
    let later = engine.snapshot();
    assert_eq!(listed(&mut *begin(&*later), &all, 9).await, now);
}

async fn values_are_read_in_the_order_asked_for(engine: &dyn Engine) {
    write(engine, &[("many1", "1"), ("many2", "2")]).await;
    let keys = [key("many2"), key("many0"), key("many1")];
    let values = begin(engine).get_many(&keys).await.unwrap();
    assert_eq!(values, [Some(value("2")), None, Some(value("1"))]);
}

async fn ranges_join_all_layers(engine: &dyn Engine) {
    write(engine, &[("r1", "old"), ("r3", "old"), ("r5", "old")]).await;
    let mut other = begin(engine);
    other.put(key("r2"), value("committed"));
    other.delete(key("r3"));
    other.commit().await.unwrap();
    let mut transaction = begin(engine);
    transaction.put(key("r1"), value("own"));
    transaction.put(key("r4"), value("own"));
    transaction.delete(key("r5"));
    transaction.delete(key("r6"));
    let all = range("r", "s");
    let expected = ["r1=own", "r2=committed", "r4=own"];
    assert_eq!(listed(&mut *transaction, &all, 100).await, expected);
    for limit in 0..=3 {
        let found = listed(&mut *transaction, &all, limit).await;
        assert_eq!(found, expected[..limit], "limit {limit}");
    }
    let part = range("r2", "r4");
    assert_eq!(listed(&mut *transaction, &part, 9).await, ["r2=committed"]);
    assert!(
        listed(&mut *transaction, &range("r4", "r4"), 9)
            .await
            .is_empty()
    );
    assert!(
        listed(&mut *transaction, &range("s", "r"), 9)
            .await
            .is_empty()
    );
    let seen_by_others = listed(&mut *begin(engine), &all, 9).await;
    assert_eq!(seen_by_others, ["r1=old", "r2=committed", "r5=old"]);
}

async fn a_lost_update_is_a_conflict(engine: &dyn Engine) {
    write(engine, &[("update", "0")]).await;
    let (mut one, mut other) = (begin(engine), begin(engine));
    for transaction in [&mut one, &mut other] {
        transaction.get(&key("update")).await.unwrap();
        transaction.put(key("update"), value("1"));
    }
    let point = one.commit().await.unwrap();
    // Also when the first is durable already.
    engine.durable(point).await.unwrap();
    assert_eq!(other.commit().await, Err(KvError::Conflict));
}

async fn write_skew_is_a_conflict(engine: &dyn Engine) {
    write(engine, &[("skew1", "on"), ("skew2", "on")]).await;
    let (mut one, mut other) = (begin(engine), begin(engine));
    for (transaction, own) in [(&mut one, "skew1"), (&mut other, "skew2")] {
        transaction.get(&key("skew1")).await.unwrap();
        transaction.get(&key("skew2")).await.unwrap();
        transaction.put(key(own), value("off"));
    }
    one.commit().await.unwrap();
    assert_eq!(other.commit().await, Err(KvError::Conflict));
}

async fn a_phantom_is_a_conflict(engine: &dyn Engine) {
    write(engine, &[("phantom1", "")]).await;
    let within = range("phantom", "phantom9");
    let mut counting = begin(engine);
    assert_eq!(listed(&mut *counting, &within, 9).await.len(), 1);
    counting.put(key("phantoms"), value("1"));
    write(engine, &[("phantom2", "")]).await;
    assert_eq!(counting.commit().await, Err(KvError::Conflict));
    // A deletion is one too, and what was not looked at is none.
    let mut counting = begin(engine);
    assert_eq!(listed(&mut *counting, &within, 1).await, ["phantom1="]);
    counting.put(key("phantoms"), value("1"));
    let mut deleting = begin(engine);
    deleting.delete(key("phantom2"));
    deleting.commit().await.unwrap();
    counting.commit().await.unwrap();
    let mut counting = begin(engine);
    listed(&mut *counting, &within, 9).await;
    counting.put(key("phantoms"), value("1"));
    let mut deleting = begin(engine);
    deleting.delete(key("phantom1"));
    deleting.commit().await.unwrap();
    assert_eq!(counting.commit().await, Err(KvError::Conflict));
}

async fn readers_see_one_moment_or_a_conflict(engine: &dyn Engine) {
    write(engine, &[("moment1", "0"), ("moment2", "0")]).await;
    let mut reader = begin(engine);
    let first = reader.get(&key("moment1")).await.unwrap();
    write(engine, &[("moment1", "1"), ("moment2", "1")]).await;
    let second = reader.get(&key("moment2")).await.unwrap();
    let fits = first == second;
    assert_eq!(reader.commit().await.is_ok(), fits);
    // Latest reads promise no such thing, and never conflict.
    let mut reader = engine.begin(Isolation::Latest);
    reader.get(&key("moment1")).await.unwrap();
    write(engine, &[("moment1", "2")]).await;
    assert_eq!(reader.get(&key("moment1")).await.unwrap(), Some(value("2")));
    reader.commit().await.unwrap();
}

async fn unrelated_writes_do_not_conflict(engine: &dyn Engine) {
    write(engine, &[("unrelated1", "0"), ("unrelated2", "0")]).await;
    let (mut one, mut other) = (begin(engine), begin(engine));
    for (transaction, own) in [(&mut one, "unrelated1"), (&mut other, "unrelated2")] {
        transaction.get(&key(own)).await.unwrap();
        transaction.put(key(own), value("1"));
    }
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    // Nor do blind writes of one key: the last one stays.
    let (mut one, mut other) = (begin(engine), begin(engine));
    one.put(key("blind"), value("1"));
    other.put(key("blind"), value("2"));
    one.commit().await.unwrap();
    other.commit().await.unwrap();
    assert_eq!(read(engine, "blind").await, Some(value("2")));
}

async fn discarded_writes_leave_the_reads(engine: &dyn Engine) {
    write(engine, &[("discard1", "0"), ("discard2", "0")]).await;
    for conflicting in [false, true] {
        let mut transaction = begin(engine);
        transaction.get(&key("discard1")).await.unwrap();
        transaction.get(&key("discard2")).await.unwrap();
        transaction.put(key("discard1"), value("lost"));
        transaction.add(key("discards"), 1);
        if conflicting {
            write(engine, &[("discard2", "1")]).await;
        }
        transaction.discard_writes();
        assert_eq!(transaction.commit().await.is_err(), conflicting);
    }
    assert_eq!(read(engine, "discard1").await, Some(value("0")));
    assert_eq!(read(engine, "discards").await, None);
}

async fn counters_add_up_without_conflicts(engine: &Arc<dyn Engine>) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50_i64 {
        let engine = Arc::clone(engine);
        tasks.spawn(async move {
            let mut transaction = begin(&*engine);
            transaction.add(key("counter"), number);
            transaction.add(key("counter"), -1);
            tokio::task::yield_now().await;
            let point = transaction.commit().await.unwrap();
            engine.durable(point).await.unwrap();
        });
    }
    tasks.join_all().await;
    let total = read(&**engine, "counter").await;
    assert_eq!(counter_value(total.as_deref()), 49 * 50 / 2 - 50);
}

/// Concurrent transfers between accounts, each a read of two and a write of two: the sum stays.
async fn transfers_keep_the_sum(engine: &Arc<dyn Engine>) {
    let names: Vec<String> = (0..8).map(|number| format!("account{number}")).collect();
    for name in &names {
        write(&**engine, &[(name, "100")]).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16_usize {
        let (engine, names) = (Arc::clone(engine), names.clone());
        tasks.spawn(async move {
            for step in 0..20_usize {
                let from = &names[(number + step) % names.len()];
                let to = &names[(number * 3 + step * 5 + 1) % names.len()];
                while from != to && transfer(&*engine, from, to).await.is_err() {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    tasks.join_all().await;
    let mut reader = begin(&**engine);
    let accounts = listed(&mut *reader, &range("account", "account9"), 9).await;
    let sum = accounts.iter().map(|account| {
        let (_, money) = account.split_once('=').unwrap();
        money.parse::<i64>().unwrap()
    });
    assert_eq!(sum.sum::<i64>(), 800);
}

async fn transfer(engine: &dyn Engine, from: &str, to: &str) -> Result<(), KvError> {
    let mut transaction = begin(engine);
    for (name, change) in [(from, -1), (to, 1)] {
        let money = transaction.get(&key(name)).await?.unwrap();
        let money: i64 = std::str::from_utf8(&money).unwrap().parse().unwrap();
        transaction.put(key(name), value(&(money + change).to_string()));
        tokio::task::yield_now().await;
    }
    let point = transaction.commit().await?;
    engine.durable(point).await
}

async fn conforms(engine: Arc<dyn Engine>) {
    writes_are_visible_after_commit_only(&*engine).await;
    a_snapshot_stays_as_it_was(&*engine).await;
    values_are_read_in_the_order_asked_for(&*engine).await;
    ranges_join_all_layers(&*engine).await;
    a_lost_update_is_a_conflict(&*engine).await;
    write_skew_is_a_conflict(&*engine).await;
    a_phantom_is_a_conflict(&*engine).await;
    readers_see_one_moment_or_a_conflict(&*engine).await;
    unrelated_writes_do_not_conflict(&*engine).await;
    discarded_writes_leave_the_reads(&*engine).await;
    counters_add_up_without_conflicts(&engine).await;
    transfers_keep_the_sum(&engine).await;
}

fn open(directory: &Path) -> Arc<EmbeddedEngine> {
    let clock = Arc::new(SystemClock::new());
    Arc::new(EmbeddedEngine::open(directory, EmbeddedOptions::default(), clock).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_engine_conforms() {
    conforms(Arc::new(MemoryEngine::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_engine_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conforms(open(directory.path())).await;
}

#[tokio::test]
async fn the_embedded_engine_finds_everything_again() {
    let directory = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let engine = open(directory.path());
        for before in 0..round {
            let found = read(&*engine, &format!("round{before}")).await;
            assert_eq!(found, Some(value("there")));
        }
        write(&*engine, &[(&format!("round{round}"), "there")]).await;
        let mut transaction = begin(&*engine);
        transaction.add(key("rounds"), 1);
        let point = transaction.commit().await.unwrap();
        engine.durable(point).await.unwrap();
        let rounds = read(&*engine, "rounds").await;
        assert_eq!(counter_value(rounds.as_deref()), round + 1);
        let second = EmbeddedEngine::open(
            directory.path(),
            EmbeddedOptions::default(),
            Arc::new(SystemClock::new()),
        );
        let refused = second.map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("another process"), "{refused}");
    }
}

#[tokio::test]
async fn a_crash_loses_what_was_not_flushed_and_fails_who_waits_for_it() {
    let engine = Arc::new(MemoryEngine::new());
    write(&*engine, &[("durable", "1")]).await;
    engine.hold_flushes(true);
    let mut writer = begin(&*engine);
    writer.put(key("lost"), value("1"));
    writer.put(key("durable"), value("2"));
    let point = writer.commit().await.unwrap();
    assert!(!engine.is_durable(point));
    // Who reads it is told to wait for it; who reads something else is not.
    for (name, waits) in [("lost", true), ("durable", true), ("other", false)] {
        let mut reader = begin(&*engine);
        reader.get(&key(name)).await.unwrap();
        let seen = reader.commit().await.unwrap();
        assert_eq!(!engine.is_durable(seen), waits, "{name}");
    }
    let mut reader = engine.begin(Isolation::Latest);
    reader.range(&range("l", "m"), 9).await.unwrap();
    assert!(!engine.is_durable(reader.commit().await.unwrap()));

    let waiting = tokio::spawn({
        let engine = Arc::clone(&engine);
        async move { engine.durable(point).await }
    });
    tokio::task::yield_now().await;
    let survived = engine.crash();
    assert!(matches!(
        waiting.await.unwrap(),
        Err(KvError::Failed { .. })
    ));
    let mut late = begin(&*engine);
    late.put(key("late"), value(""));
    assert!(matches!(late.commit().await, Err(KvError::Failed { .. })));
    assert!(engine.flush().is_err());
    assert_eq!(read(&survived, "lost").await, None);
    assert_eq!(read(&survived, "durable").await, Some(value("1")));
}

#[tokio::test]
async fn concurrent_commits_share_flushes() {
    let engine = Arc::new(MemoryEngine::new());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move { write(&*engine, &[(&format!("shared{number}"), "")]).await });
    }
    tasks.join_all().await;
    assert_eq!(engine.flush_count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_commits_share_syncs_of_the_disk() {
    const TASKS: u64 = 64;
    const COMMITS: u64 = 10;
    let directory = tempfile::tempdir().unwrap();
    let engine = open(directory.path());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move {
            for number in 0..COMMITS {
                write(&*engine, &[(&format!("{task}.{number}"), "")]).await;
            }
        });
    }
    tasks.join_all().await;
    let flushes = engine.flush_count();
    assert!(flushes >= COMMITS, "{flushes}: each task waits for its own");
    assert!(flushes <= TASKS * COMMITS / 2, "{flushes} flushes");
}

#[tokio::test]
async fn a_flush_writes_a_key_once_however_often_it_changed() {
    let engine = MemoryEngine::new();
    engine.hold_flushes(true);
    for number in 0..1000 {
        let mut transaction = begin(&engine);
        transaction.put(key("hot"), value(&number.to_string()));
        transaction.commit().await.unwrap();
    }
    engine.flush().unwrap();
    assert_eq!(read(&engine.crash(), "hot").await, Some(value("999")));
    assert_eq!(engine.flush_count(), 1);
}
