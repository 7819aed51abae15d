//! A large directory, listed in pages of any size while entries come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sluice_types::Cookie;
use sluice_wire::meta::{DirectoryEntry, ReadDirectory};

use super::support::{Fixture, ROOT, SeededRng, User};

const ENTRIES: u64 = 50_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_stay_are_listed_once_while_others_come_and_go() {
    let fixture = Fixture::new().await;
    fill(&fixture).await;
    let stop = tokio_watch();
    let changes = tokio::spawn(come_and_go(fixture.root(), stop.1));
    let rng = SeededRng::new(1);
    for (with_nodes, page_max) in [(false, 1000), (true, 300), (false, 5000), (false, 37)] {
        let mut seen: BTreeMap<String, Cookie> = BTreeMap::new();
        let mut after = Cookie::START;
        loop {
            let entries_max = 1 + rng.below(page_max) as u32;
            let read = ReadDirectory {
                directory: ROOT,
                after,
                entries_max,
                with_nodes,
            };
            let listing = fixture.root().run(read).await.unwrap();
            assert!(listing.entries.len() <= entries_max as usize);
            assert!(listing.end || !listing.entries.is_empty());
            for entry in listing.entries {
                assert!(entry.cookie > after, "in order");
                after = entry.cookie;
                if entry.name.as_bytes().starts_with(b"stay") {
                    assert_eq!(entry.node.is_some(), with_nodes);
                }
                assert_node(&entry);
                let again = seen.insert(entry.name.to_string(), entry.cookie);
                assert_eq!(again, None, "{} twice", entry.name);
            }
            if listing.end {
                break;
            }
        }
        let staying: BTreeSet<_> = seen
            .keys()
            .filter(|name| name.starts_with("stay"))
            .collect();
        assert_eq!(staying.len() as u64, ENTRIES);
    }
    drop(stop.0);
    assert!(changes.await.unwrap() > 100);
    fixture.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_renamed_over_is_in_every_listing() {
    let fixture = Fixture::new().await;
    let user = fixture.root();
    user.create(ROOT, "name", 0o644).await.unwrap();
    let renames = Arc::new(AtomicU64::new(0));
    let renaming = tokio::spawn(rename_over(fixture.root(), Arc::clone(&renames)));
    let read = ReadDirectory {
        directory: ROOT,
        after: Cookie::START,
        entries_max: 10,
        with_nodes: true,
    };
    let mut listings = 0;
    while listings < 3000 || renames.load(Ordering::Relaxed) < 100 {
        let listing = user.run(read).await.unwrap();
        let mut names = listing.entries.iter().map(|entry| entry.name.as_bytes());
        assert!(names.any(|name| name == b"name"));
        assert!(listing.end);
        assert!(!renaming.is_finished(), "a rename failed");
        listings += 1;
    }
    renaming.abort();
}

/// Renames one new file after another over the same, and counts.
async fn rename_over(user: User, renames: Arc<AtomicU64>) {
    loop {
        user.create(ROOT, "next", 0o644).await.unwrap();
        user.rename((ROOT, "next"), (ROOT, "name")).await.unwrap();
        renames.fetch_add(1, Ordering::Relaxed);
    }
}

fn tokio_watch() -> (
    tokio::sync::watch::Sender<()>,
    tokio::sync::watch::Receiver<()>,
) {
    tokio::sync::watch::channel(())
}

fn assert_node(entry: &DirectoryEntry) {
    if let Some(node) = &entry.node {
        assert_eq!(node.id, entry.inode);
        assert!(node.attributes.link_count > 0);
    }
}

async fn fill(fixture: &Fixture) {
    let mut tasks = tokio::task::JoinSet::new();
    for part in 0..100 {
        let user = fixture.root();
        tasks.spawn(async move {
            for number in 0..ENTRIES / 100 {
                let name = format!("stay {part}.{number}");
                user.create(ROOT, &name, 0o644).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

/// Makes, renames and removes entries until told to stop; how many.
async fn come_and_go(user: User, stop: tokio::sync::watch::Receiver<()>) -> u64 {
    let mut changes = 0;
    while stop.has_changed().is_ok() {
        let (one, other) = (format!("go {changes}"), format!("gone {changes}"));
        user.create(ROOT, &one, 0o644).await.unwrap();
        user.rename((ROOT, &one), (ROOT, &other)).await.unwrap();
        if changes % 2 == 0 {
            user.remove(ROOT, &other).await.unwrap();
        }
        changes += 1;
    }
    changes
}
