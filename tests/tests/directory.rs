//! A large directory is listed completely, each entry once, while others come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use sluice_proto_nfs::nfs3::{CreateHow, FileHandle};
use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::effort;
use sluice_tests::nfs_client::files::{make_dir, with_mode};
use sluice_tests::nfs_client::{Entry, NfsClient, NfsError, Page};

/// Creations in flight.
const PARALLEL: u32 = 64;

async fn fill(client: &NfsClient, directory: FileHandle, count: u32) {
    let workers = (0..PARALLEL).map(|worker| async move {
        for number in (worker..count).step_by(PARALLEL as usize) {
            let how = CreateHow::Guarded(with_mode(0o644));
            client
                .create(directory, name(number).as_bytes(), how)
                .await
                .unwrap();
        }
    });
    join_all(workers).await;
}

fn name(number: u32) -> String {
    format!("entry-{number}")
}

/// Creates and removes other entries until told to stop: how many.
async fn churn(client: NfsClient, directory: FileHandle, stop: Arc<AtomicBool>) -> u32 {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        let other = format!("other-{}", rounds % 50);
        let how = CreateHow::Unchecked(with_mode(0o644));
        client
            .create(directory, other.as_bytes(), how)
            .await
            .unwrap();
        if rounds % 2 == 0 {
            client.remove(directory, other.as_bytes()).await.unwrap();
        }
        rounds += 1;
    }
    rounds
}

enum Call {
    Readdir,
    ReaddirPlus,
}

/// Lists the directory by pages of `page_bytes`, going on with the next of `clients` after each page.
async fn list(
    clients: &[NfsClient],
    directory: FileHandle,
    call: &Call,
    page_bytes: u32,
) -> Result<Vec<Entry>, NfsError> {
    let mut entries = Vec::new();
    let (mut cookie, mut verifier) = (0, [0; 8]);
    for client in clients.iter().cycle() {
        let page: Page = match call {
            Call::Readdir => {
                client
                    .readdir(directory, cookie, verifier, page_bytes)
                    .await?
            }
            Call::ReaddirPlus => {
                client
                    .readdirplus(directory, cookie, verifier, page_bytes)
                    .await?
            }
        };
        verifier = page.cookie_verifier;
        cookie = page.entries.last().map_or(cookie, |entry| entry.cookie);
        entries.extend(page.entries);
        if page.end {
            break;
        }
    }
    Ok(entries)
}

fn check_listing(entries: &[Entry], count: u32) {
    let mut seen: BTreeMap<&[u8], u32> = BTreeMap::new();
    for entry in entries {
        *seen.entry(&entry.name).or_default() += 1;
    }
    let twice: Vec<_> = seen
        .iter()
        .filter(|(_, times)| **times > 1)
        .take(5)
        .collect();
    assert!(twice.is_empty(), "listed more than once: {twice:?}");
    let missing = (0..count).filter(|number| !seen.contains_key(name(*number).as_bytes()));
    let missing: Vec<u32> = missing.collect();
    assert!(
        missing.is_empty(),
        "{} not listed, as {:?}",
        missing.len(),
        &missing[..missing.len().min(5)]
    );
    assert!(seen.contains_key(&b"."[..]) && seen.contains_key(&b".."[..]));
    let mut cookies: Vec<u64> = entries.iter().map(|entry| entry.cookie).collect();
    cookies.sort_unstable();
    cookies.dedup();
    assert_eq!(
        cookies.len(),
        entries.len(),
        "two entries have the same cookie"
    );
}

async fn check(shape: Shape, count: u32) {
    let mut cluster = Cluster::start(shape).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let directory = make_dir(&client, root, "many").await.unwrap();
    fill(&client, directory, count).await;
    let clients = [
        client.clone(),
        cluster.client().await.unwrap().0,
        cluster.client().await.unwrap().0,
    ];
    let stop = Arc::new(AtomicBool::new(false));
    let churning = tokio::spawn(churn(client.clone(), directory, Arc::clone(&stop)));
    for (call, page_bytes) in [
        (Call::Readdir, 512),
        (Call::Readdir, 65_536),
        (Call::ReaddirPlus, 1024),
        (Call::ReaddirPlus, 1 << 20),
    ] {
        // Tiny pages over everything would only take long: a call per two entries.
        let entries = list(&clients, directory, &call, page_bytes).await.unwrap();
        check_listing(&entries, count);
    }
    stop.store(true, Ordering::Relaxed);
    let rounds = churning.await.unwrap();
    assert!(
        rounds > 10,
        "hardly anything changed meanwhile: {rounds} rounds"
    );

    // Cookies are good after a restart of everything.
    let page = client.readdir(directory, 0, [0; 8], 8192).await.unwrap();
    let last = page.entries.last().unwrap().cookie;
    cluster.terminate().unwrap();
    cluster.start_all().unwrap();
    let (client, _) = cluster.client().await.unwrap();
    let mut entries = page.entries;
    let (mut cookie, mut verifier) = (last, page.cookie_verifier);
    loop {
        let page = client
            .readdir(directory, cookie, verifier, 65_536)
            .await
            .unwrap();
        verifier = page.cookie_verifier;
        cookie = page.entries.last().map_or(cookie, |entry| entry.cookie);
        entries.extend(page.entries);
        if page.end {
            break;
        }
    }
    check_listing(&entries, count);
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn of_100000_entries_on_one_process() {
    check(Shape::OneProcess, 100_000).await;
}

#[tokio::test]
async fn of_many_entries_on_separate_processes() {
    check(Shape::Separate, effort::pick(10_000, 100_000)).await;
}

/// READDIR with room for less than one entry is told so; one with room for one goes on.
#[tokio::test]
async fn the_smallest_pages() {
    let cluster = Cluster::start(Shape::OneProcess).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let directory = make_dir(&client, root, "few").await.unwrap();
    for number in 0..5u8 {
        let long = [&[b'n'; 254][..], &[b'0' + number]].concat();
        let how = CreateHow::Guarded(with_mode(0o644));
        client.create(directory, &long, how).await.unwrap();
    }
    let too_small = client.readdir(directory, 0, [0; 8], 64).await.unwrap_err();
    let status = too_small.status().map(sluice_proto_nfs::nfs3::status_name);
    assert_eq!(status, Some("toosmall"), "{too_small}");
    let entries = list(&[client], directory, &Call::Readdir, 420)
        .await
        .unwrap();
    assert_eq!(entries.len(), 7);
}
