//! Tests of the caches as a gateway uses them.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use sluice_types::{DataVersion, FileName, FileSystemId, InodeId, Payload};

use crate::*;

const FILE_SYSTEM: FileSystemId = FileSystemId::new(7);

fn file(inode: u64, version: u64) -> FileVersion {
    let inode = InodeId::new(inode).unwrap();
    let version = DataVersion::new(version);
    FileVersion { inode, version }
}

fn key(file: FileVersion, block: u64) -> BlockKey {
    let block = BlockIndex::new(block);
    BlockKey { file, block }
}

fn blocks(start: u64, end: u64) -> std::ops::Range<BlockIndex> {
    BlockIndex::new(start)..BlockIndex::new(end)
}

/// Bytes that tell which block of which version they are.
fn content(file: FileVersion, block: u64) -> Vec<u8> {
    let seed = file.inode.raw() * 31 + file.version.raw() * 7 + block;
    (0..BLOCK_BYTES as u64)
        .map(|at| (at * 13 + seed) as u8)
        .collect()
}

fn fetched(file: FileVersion, range: &std::ops::Range<BlockIndex>) -> Fetched {
    let mut payload = Payload::new();
    for block in range.start.raw()..range.end.raw() {
        payload.push(content(file, block).into());
    }
    let keep = true;
    Fetched { payload, keep }
}

async fn memory(bytes: u64) -> std::sync::Arc<BlockCache> {
    let config = CacheConfig::memory_only(FILE_SYSTEM, bytes);
    BlockCache::open(config).await.unwrap()
}

fn on_nvme(directory: &Path, file_system: FileSystemId) -> CacheConfig {
    CacheConfig {
        file_system,
        memory_bytes: MEMORY_BYTES_MIN * 4,
        directory: Some(directory.to_owned()),
        directory_bytes: 2 * NVME_BYTES_MIN,
    }
}

async fn read(cache: &BlockCache, file: FileVersion, start: u64, end: u64) -> (Payload, usize) {
    let fetches = AtomicUsize::new(0);
    let payload = cache
        .read_blocks(file, blocks(start, end), |range| {
            fetches.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<_, Infallible>(fetched(file, &range)) }
        })
        .await
        .unwrap();
    (payload, fetches.into_inner())
}

#[tokio::test]
async fn the_memory_budget_is_kept() {
    let budget = 4 * MEMORY_BYTES_MIN;
    let cache = memory(budget).await;
    for block in 0..10 * budget / u64::from(BLOCK_BYTES) {
        let block = key(file(1, 1), block);
        cache.insert(block, &content(block.file, block.block.raw()).into());
        assert!(cache.memory_used_bytes() <= budget);
    }
    assert!(cache.memory_used_bytes() > budget / 2, "it caches nothing");
}

#[tokio::test]
async fn a_scan_does_not_evict_what_is_read_again() {
    let cache = memory(4 * MEMORY_BYTES_MIN).await;
    for _ in 0..3 {
        read(&cache, file(1, 1), 0, 8).await;
    }
    read(&cache, file(2, 1), 0, 40).await;
    for round in 0..8 {
        read(&cache, file(3, 1), round * 40, round * 40 + 40).await;
    }
    assert_eq!(read(&cache, file(1, 1), 0, 8).await.1, 0);
}

#[tokio::test]
async fn neighbouring_misses_are_one_fetch_and_hits_are_none() {
    let cache = memory(8 * MEMORY_BYTES_MIN).await;
    let version = file(1, 1);
    let (payload, fetches) = read(&cache, version, 4, 6).await;
    assert_eq!((payload.len(), fetches), (2 * BLOCK_BYTES as usize, 1));
    // Two gaps around what is there.
    let (payload, fetches) = read(&cache, version, 0, 10).await;
    assert_eq!(fetches, 2);
    let expected: Vec<u8> = (0..10).flat_map(|block| content(version, block)).collect();
    assert_eq!(payload.to_contiguous(), expected);
    assert_eq!(read(&cache, version, 0, 10).await.1, 0);
}

#[tokio::test]
async fn another_version_is_a_miss() {
    let cache = memory(8 * MEMORY_BYTES_MIN).await;
    read(&cache, file(1, 1), 0, 4).await;
    let (payload, fetches) = read(&cache, file(1, 2), 0, 4).await;
    assert_eq!(fetches, 1);
    assert_eq!(
        payload.slice(0, 1).to_contiguous()[0],
        content(file(1, 2), 0)[0]
    );
}

#[tokio::test]
async fn concurrent_misses_of_a_block_are_fetched_once() {
    let cache = memory(8 * MEMORY_BYTES_MIN).await;
    let version = file(1, 1);
    let fetches = AtomicUsize::new(0);
    let one = || {
        cache.read_blocks(version, blocks(0, 4), |range| {
            fetches.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(fetched(version, &range))
            }
        })
    };
    let results = futures::future::join_all((0..8).map(|_| one())).await;
    let expected = fetched(version, &blocks(0, 4)).payload;
    assert!(
        results
            .iter()
            .all(|result| result.as_ref() == Ok(&expected))
    );
    assert_eq!(fetches.into_inner(), 1);
}

#[tokio::test]
async fn a_failed_fetch_is_the_failed_readers_own() {
    let cache = memory(8 * MEMORY_BYTES_MIN).await;
    let version = file(1, 1);
    let fetches = AtomicUsize::new(0);
    let one = || {
        cache.read_blocks(version, blocks(0, 2), |range| {
            let first = fetches.fetch_add(1, Ordering::Relaxed) == 0;
            async move {
                tokio::task::yield_now().await;
                if first {
                    Err("lost")
                } else {
                    Ok(fetched(version, &range))
                }
            }
        })
    };
    let (failed, other) = tokio::join!(one(), one());
    assert_eq!(failed, Err("lost"));
    assert_eq!(other.unwrap().len(), 2 * BLOCK_BYTES as usize);
}

#[tokio::test]
async fn what_may_not_be_kept_is_not() {
    let cache = memory(8 * MEMORY_BYTES_MIN).await;
    let version = file(1, 1);
    cache
        .read_blocks(version, blocks(0, 2), |range| async move {
            let payload = fetched(version, &range).payload;
            let keep = false;
            Ok::<_, Infallible>(Fetched { payload, keep })
        })
        .await
        .unwrap();
    assert_eq!(cache.get(&key(version, 0)), None);
}

#[tokio::test]
async fn short_blocks_are_filled_with_zeros_unless_last() {
    let cache = memory(8 * MEMORY_BYTES_MIN).await;
    let version = file(1, 1);
    cache.insert(key(version, 0), &b"short".to_vec().into());
    cache.insert(key(version, 1), &b"last".to_vec().into());
    let (payload, _) = read(&cache, version, 0, 2).await;
    assert_eq!(payload.len(), BLOCK_BYTES as usize + 4);
    let whole = payload.to_contiguous();
    assert_eq!(&whole[..5], b"short");
    assert!(whole[5..BLOCK_BYTES as usize].iter().all(|&byte| byte == 0));
    assert_eq!(&whole[BLOCK_BYTES as usize..], b"last");
}

#[tokio::test]
async fn blocks_are_back_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let version = file(1, 1);
    let cache = BlockCache::open(on_nvme(directory.path(), FILE_SYSTEM))
        .await
        .unwrap();
    assert!(cache.has_nvme());
    read(&cache, version, 0, 32).await;
    cache.close().await;
    drop(cache);
    let cache = BlockCache::open(on_nvme(directory.path(), FILE_SYSTEM))
        .await
        .unwrap();
    let (payload, fetches) = read(&cache, version, 0, 32).await;
    assert_eq!(fetches, 0, "all 32 blocks come from disk");
    let expected: Vec<u8> = (0..32).flat_map(|block| content(version, block)).collect();
    assert_eq!(payload.to_contiguous(), expected);
    // Of a file that changed meanwhile, nothing is good.
    assert_eq!(read(&cache, file(1, 2), 0, 32).await.1, 1);
}

#[tokio::test]
async fn another_file_systems_blocks_are_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let version = file(1, 1);
    let cache = BlockCache::open(on_nvme(directory.path(), FILE_SYSTEM))
        .await
        .unwrap();
    read(&cache, version, 0, 8).await;
    cache.close().await;
    drop(cache);
    let other = FileSystemId::new(8);
    let cache = BlockCache::open(on_nvme(directory.path(), other))
        .await
        .unwrap();
    assert_eq!(read(&cache, version, 0, 8).await.1, 1);
}

#[tokio::test]
async fn damage_on_disk_is_a_miss_never_wrong_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let version = file(1, 1);
    let cache = BlockCache::open(on_nvme(directory.path(), FILE_SYSTEM))
        .await
        .unwrap();
    read(&cache, version, 0, 32).await;
    cache.close().await;
    drop(cache);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        // Every 20,000th byte: hits most blocks, spares the label, which is shorter.
        bytes
            .iter_mut()
            .skip(20_000)
            .step_by(20_000)
            .for_each(|byte| *byte ^= 0x55);
        std::fs::write(&path, bytes).unwrap();
    }
    let cache = BlockCache::open(on_nvme(directory.path(), FILE_SYSTEM))
        .await
        .unwrap();
    let (payload, fetches) = read(&cache, version, 0, 32).await;
    assert!(fetches > 0);
    let expected: Vec<u8> = (0..32).flat_map(|block| content(version, block)).collect();
    assert_eq!(payload.to_contiguous(), expected);
}

#[tokio::test]
async fn a_cache_made_smaller_gives_its_space_back_and_keeps_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = on_nvme(directory.path(), FILE_SYSTEM);
    let cache = BlockCache::open(config.clone()).await.unwrap();
    cache.close().await;
    drop(cache);
    assert!(size_of_files(directory.path()) >= config.directory_bytes);
    config.directory_bytes = NVME_BYTES_MIN;
    let cache = BlockCache::open(config).await.unwrap();
    let taken = size_of_files(directory.path());
    assert!(
        taken >= NVME_BYTES_MIN / 2,
        "all was thrown away: {taken} bytes are left"
    );
    assert!(taken < NVME_BYTES_MIN + 4096, "{taken} bytes are taken");
    assert!(cache.has_nvme());
}

fn size_of_files(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

#[tokio::test]
async fn a_directory_serves_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let first = BlockCache::open(on_nvme(directory.path(), FILE_SYSTEM))
        .await
        .unwrap();
    let second = BlockCache::open(on_nvme(directory.path(), FILE_SYSTEM)).await;
    assert!(matches!(second, Err(CacheError::DirectoryInUse { .. })));
    drop(first);
}

#[tokio::test]
async fn an_unusable_directory_means_memory_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let occupied = scratch.path().join("file");
    std::fs::write(&occupied, b"not a directory").unwrap();
    let cache = BlockCache::open(on_nvme(&occupied, FILE_SYSTEM))
        .await
        .unwrap();
    assert!(!cache.has_nvme());
    assert_eq!(read(&cache, file(1, 1), 0, 4).await.1, 1);
    assert_eq!(read(&cache, file(1, 1), 0, 4).await.1, 0);
}

#[tokio::test]
async fn budgets_too_small_are_refused() {
    let config = CacheConfig::memory_only(FILE_SYSTEM, 1000);
    let opened = BlockCache::open(config).await;
    assert!(matches!(opened, Err(CacheError::MemoryTooSmall { .. })));
}

fn name_key(name: &str) -> (InodeId, FileName) {
    (
        InodeId::ROOT,
        FileName::new(name.as_bytes().to_vec()).unwrap(),
    )
}

#[test]
fn an_answer_from_before_a_change_is_not_remembered() {
    let names = NameCache::with_budget(1 << 20);
    let name = name_key("a");
    let early = names.ticket(&name);
    let change = names.begin_change(&name);
    let during = names.ticket(&name);
    assert!(!names.insert(early, &name, NameEntry::Absent));
    assert!(!names.insert(during, &name, NameEntry::Absent));
    drop(change);
    assert!(!names.insert(during, &name, NameEntry::Absent));
    let late = names.ticket(&name);
    assert!(names.insert(late, &name, NameEntry::Found(InodeId::ROOT)));
    assert_eq!(names.get(&name), Some(NameEntry::Found(InodeId::ROOT)));
    drop(names.begin_change(&name));
    assert_eq!(names.get(&name), None);
}

#[test]
fn a_change_that_may_still_come_forgets_and_blocks() {
    let names = NameCache::with_budget(1 << 20);
    let name = name_key("a");
    assert!(names.insert(names.ticket(&name), &name, NameEntry::Absent));
    let change = names.begin_change(&name);
    assert_eq!(names.get(&name), Some(NameEntry::Absent));
    change.forget();
    assert_eq!(names.get(&name), None);
    assert!(!names.insert(names.ticket(&name), &name, NameEntry::Absent));
    drop(change);
    assert!(names.insert(names.ticket(&name), &name, NameEntry::Absent));
}

#[test]
fn the_name_budget_is_kept() {
    let budget = 256 * 1024;
    let names = NameCache::with_budget(budget);
    for number in 0..20_000 {
        let name = name_key(&format!("name-{number}"));
        names.insert(names.ticket(&name), &name, NameEntry::Absent);
        assert!(names.used_bytes() <= budget);
    }
    assert!(names.used_bytes() > budget / 2);
}

#[test]
fn no_reader_finds_an_old_value_after_a_change_ended() {
    use std::sync::atomic::AtomicU64;
    let names = NameCache::with_budget(1 << 20);
    let name = name_key("a");
    let current = AtomicU64::new(1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let ticket = names.ticket(&name);
                    let value = InodeId::new(current.load(Ordering::SeqCst)).unwrap();
                    names.insert(ticket, &name, NameEntry::Found(value));
                }
            });
        }
        for version in 2..20_000 {
            let change = names.begin_change(&name);
            current.store(version, Ordering::SeqCst);
            drop(change);
            if let Some(NameEntry::Found(found)) = names.get(&name) {
                assert!(found.raw() >= version, "{found} after {version}");
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
}
