//! Many at once in few directories: nothing is lost, nobody starves, all stays sound.

use std::sync::Arc;

use sluice_types::{FsError, InodeId};
use sluice_wire::meta::{BeginWrite, FileSystemStatus, UpdateWritten};

use super::model::{Model, carry_out};
use super::support::{Fixture, ROOT, SeededRng, User};

const TASKS: u64 = 24;

/// Runs one task for each number below [`TASKS`].
async fn all<F, Fut>(fixture: &Fixture, task: F)
where
    F: Fn(User, u64) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..TASKS {
        tasks.spawn(task(fixture.root(), number));
    }
    tasks.join_all().await;
    fixture.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_in_one_directory() {
    let fixture = Fixture::new().await;
    all(&fixture, |user, number| async move {
        for file in 0..50 {
            let name = format!("file {number}.{file}");
            user.create(ROOT, &name, 0o644).await.unwrap();
        }
        for file in 0..25 {
            let name = format!("file {number}.{file}");
            user.remove(ROOT, &name).await.unwrap();
        }
    })
    .await;
    let counts = fixture.root().run(FileSystemStatus).await.unwrap();
    assert_eq!(counts.inodes_used, 1 + TASKS * 25);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_name_is_made_once() {
    let fixture = Fixture::new().await;
    let made = Arc::new(std::sync::atomic::AtomicU64::new(0));
    all(&fixture, |user, _| {
        let made = Arc::clone(&made);
        async move {
            for file in 0..40 {
                match user.create(ROOT, &format!("{file}"), 0o644).await {
                    Ok(_) => made.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                    Err(error) => {
                        assert_eq!(error, FsError::Exists);
                        0
                    }
                };
            }
        }
    })
    .await;
    assert_eq!(made.load(std::sync::atomic::Ordering::SeqCst), 40);
}

/// Directories moved into one another from all sides: no loop ever comes about, which the check would see as a
/// directory without a name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renames_of_directories_make_no_loop() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let mut directories = vec![ROOT];
    for number in 0..8 {
        let made = root
            .mkdir(ROOT, &format!("d{number}"), 0o755)
            .await
            .unwrap();
        directories.push(made.id);
    }
    let directories = Arc::new(directories);
    all(&fixture, |user, number| {
        let directories = Arc::clone(&directories);
        async move {
            let rng = SeededRng::new(number);
            for _ in 0..100 {
                let (from, to) = (*rng.pick(&directories), *rng.pick(&directories));
                let name = format!("d{}", rng.below(8));
                match user.rename((from, &name), (to, &name)).await {
                    Ok(_) | Err(FsError::NotFound | FsError::Invalid | FsError::NotEmpty) => {}
                    // An empty one was renamed over another, and was replaced.
                    Err(FsError::Stale) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    })
    .await;
    assert_no_loop(&root).await;
}

/// From every directory, the parents lead to the root.
async fn assert_no_loop(root: &User) {
    let list = sluice_wire::meta::ListInodes {
        after: None,
        limit: 1000,
    };
    for node in root.run(list).await.unwrap().nodes {
        let mut at = node;
        for _ in 0..20 {
            at = root.inode(at.parent).await.unwrap();
        }
        assert_eq!(at.id, ROOT);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anything_on_a_few_names() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let directories = [
        root.mkdir(ROOT, "a", 0o755).await.unwrap().id,
        root.mkdir(ROOT, "b", 0o755).await.unwrap().id,
    ];
    all(&fixture, |user, number| async move {
        let rng = SeededRng::new(number);
        for _ in 0..60 {
            // Steps of an empty model meet whatever the others have made.
            let step = Model::new(*rng.pick(&directories)).random_step(&rng);
            match carry_out(&user, &step).await {
                Ok(_) => {}
                Err(error) => assert!(!error.is_transient() && error != FsError::Io, "{error}"),
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_file_written_by_many() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let inode: InodeId = root.create(ROOT, "file", 0o644).await.unwrap().id;
    all(&fixture, |user, number| async move {
        let begun = user.run(BeginWrite { inode }).await.unwrap();
        let mut data_version = begun.data_version;
        for step in 0..50 {
            loop {
                let update = UpdateWritten {
                    inode,
                    data_version,
                    size_bytes_min: number * 1000 + step,
                    used_bytes: None,
                    modified: None,
                    end: false,
                };
                let now = user.run(update).await.unwrap().after.data_version;
                if now == data_version {
                    break;
                }
                // Another one began to write meanwhile.
                data_version = now;
            }
        }
    })
    .await;
    let node = root.inode(inode).await.unwrap();
    assert_eq!(node.attributes.size_bytes, (TASKS - 1) * 1000 + 49);
    assert_eq!(node.data_version.raw(), 1 + TASKS);
}
