//! Random operations on the file service, by direct calls, end as the model says.

use std::net::Ipv4Addr;
use std::sync::Arc;

use sluice::up::{Running, UpConfig};
use sluice::wiring::open_gateway_client;
use sluice_cache::{BlockCache, CacheConfig};
use sluice_tests::effort;
use sluice_tests::model::{Checker, Generator, VfsSubject};
use sluice_tests::scratch::temporary_dir;
use sluice_types::{Credentials, FileName, Mode, SetAttributes, SystemClock};
use sluice_vfs::{Caller, Vfs, VfsConfig};

/// A file service of its own on a cluster in this process.
async fn open_vfs(running: &Running, memory_bytes: u64) -> Arc<Vfs> {
    let (metadata, transport) = (running.metadata(), running.transport());
    let localhost = Ipv4Addr::LOCALHOST.into();
    let client = open_gateway_client(metadata, transport, localhost, 0)
        .await
        .unwrap();
    let cache = CacheConfig::memory_only(client.map().file_system, memory_bytes);
    let cache = BlockCache::open(cache).await.unwrap();
    let clock = Arc::new(SystemClock::new());
    Vfs::open(client, cache, VfsConfig::default(), clock)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_end_as_the_model_says() {
    let data = temporary_dir("vfs-").unwrap();
    let config = UpConfig::for_tests(data.path().join("data"));
    let running = Running::start(config).await.unwrap();
    // A small cache, so that it is full most of the time.
    let vfs = open_vfs(&running, 4 << 20).await;
    let root = Caller::new(Credentials::root());
    let first = effort::seed();
    for seed in (0..effort::pick(30, 1000)).map(|number| first.wrapping_add(number)) {
        let name = FileName::new(format!("seed-{seed}")).unwrap();
        let open_to_all = SetAttributes {
            mode: Some(Mode::new(0o777)),
            ..SetAttributes::default()
        };
        let parent = sluice_types::InodeId::ROOT;
        let made = vfs
            .make_directory(&root, parent, name, open_to_all)
            .await
            .unwrap();
        let subject = VfsSubject::new(Arc::clone(&vfs));
        let mut checker = Checker::new(subject, made.node.id, 0o777, 0, 0);
        let result = checker.run(&mut Generator::new(seed), 500, 100).await;
        if let Err(mismatch) = result {
            panic!("SLUICE_TEST_SEED={seed}: {mismatch}");
        }
    }
    vfs.shutdown().await.unwrap();
    drop(vfs);
    running.shutdown().await.unwrap();
}
