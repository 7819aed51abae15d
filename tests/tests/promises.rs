//! The promises of docs/SEMANTICS.md that no other test tells of, each as a story.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sluice_proto_nfs::nfs3::{CreateHow, FileHandle, StableHow, nfsstat3};
use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::nfs_client::files::{
    make_dir, make_file, pattern, pattern_at, read_all, with_mode, write_all,
};
use sluice_tests::nfs_client::{NfsClient, NfsError};

fn status<T>(result: Result<T, NfsError>) -> Option<nfsstat3> {
    result.err().and_then(|error| error.status())
}

fn is_status<T>(result: Result<T, NfsError>, expected: nfsstat3) -> bool {
    status(result).is_some_and(|status| status as u32 == expected as u32)
}

/// Writes 4 MiB, so that each of the four targets has some: the verifiers that came.
async fn write_unstable(client: &NfsClient, file: FileHandle) -> BTreeSet<[u8; 8]> {
    let mut verifiers = BTreeSet::new();
    for chunk in 0..4 {
        let data = [chunk as u8; 1000];
        let written = client
            .write(file, chunk << 20, &data, StableHow::Unstable)
            .await;
        verifiers.insert(written.unwrap().verifier);
    }
    verifiers
}

#[tokio::test]
async fn the_write_verifier_outlives_a_gateway_but_not_a_storage_daemon() {
    let mut cluster = Cluster::start(Shape::Separate).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let file = make_file(&client, root, "file").await.unwrap();
    write_unstable(&client, file).await; // The first write to a target may be when it is first heard of.
    let verifiers = write_unstable(&client, file).await;
    assert_eq!(verifiers.len(), 1, "the verifier changed with no restart");

    cluster.kill9_one("gateway").unwrap();
    cluster.start_all().unwrap();
    let (client, _) = cluster.client().await.unwrap();
    let committed = client.commit(file, 0, 0).await.unwrap();
    assert!(
        verifiers.contains(&committed.verifier),
        "a gateway's restart changed it"
    );
    let data = read_all(&client, file, 0, 4 << 20).await.unwrap();
    assert_eq!(
        data.len(),
        (3 << 20) + 1000,
        "what a dead gateway had acknowledged is not all seen"
    );
    assert_eq!(data[3 << 20], 3);

    for daemon in ["storage-1", "storage-2", "storage-3", "storage-4"] {
        let before = write_unstable(&client, file).await;
        cluster.kill9_one(daemon).unwrap();
        cluster.start_all().unwrap();
        let committed = loop {
            match client.commit(file, 0, 0).await {
                Ok(committed) => break committed,
                Err(error) => assert!(is_status::<()>(Err(error), nfsstat3::NFS3ERR_JUKEBOX)),
            }
        };
        assert!(
            !before.contains(&committed.verifier),
            "{daemon} lost data without a word"
        );
    }
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn handles_outlive_every_restart_and_are_stale_only_when_the_file_is_gone() {
    for shape in [Shape::OneProcess, Shape::Separate] {
        let mut cluster = Cluster::start(shape).unwrap();
        let (client, root) = cluster.client().await.unwrap();
        let directory = make_dir(&client, root, "directory").await.unwrap();
        let file = make_file(&client, directory, "file").await.unwrap();
        client
            .write(file, 0, b"data", StableHow::FileSync)
            .await
            .unwrap();
        cluster.kill9();
        cluster.start_all().unwrap();
        let (client, root_again) = cluster.client().await.unwrap();
        assert_eq!(root_again, root);
        assert_eq!(
            client.lookup(root, b"directory").await.unwrap().object,
            directory
        );
        assert_eq!(
            client.lookup(directory, b"file").await.unwrap().object,
            file
        );
        assert_eq!(read_all(&client, file, 0, 10).await.unwrap(), b"data");
        // Under another name and from another directory it is the same file.
        client
            .rename((directory, b"file"), (root, b"moved"))
            .await
            .unwrap();
        assert_eq!(client.lookup(root, b"moved").await.unwrap().object, file);
        client.remove(root, b"moved").await.unwrap();
        assert!(is_status(
            client.getattr(file).await,
            nfsstat3::NFS3ERR_STALE
        ));
        // A new file of the same name is another one.
        let another = make_file(&client, root, "moved").await.unwrap();
        assert_ne!(another, file);
        assert!(is_status(
            client.getattr(file).await,
            nfsstat3::NFS3ERR_STALE
        ));
        cluster.terminate().unwrap();
    }
}

#[tokio::test]
async fn a_rename_over_a_file_never_leaves_the_name_without_one() {
    let mut cluster = Cluster::start(Shape::OneProcess).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    make_file(&client, root, "name").await.unwrap();
    let renaming = async {
        for number in 0..300u32 {
            let next = format!("next-{number}");
            let file = make_file(&client, root, &next).await.unwrap();
            // Its writing is not over when it is renamed over in turn.
            let data = b"x";
            client
                .write(file, 0, data, StableHow::Unstable)
                .await
                .unwrap();
            client
                .rename((root, next.as_bytes()), (root, b"name"))
                .await
                .unwrap();
        }
    };
    let (looker, _) = cluster.client().await.unwrap();
    let looking = async {
        let mut seen = BTreeSet::new();
        for _ in 0..2000 {
            let found = looker.lookup(root, b"name").await.unwrap();
            seen.insert(found.object.as_bytes().to_vec());
            let listed = looker.list(root, 65_536).await.unwrap();
            let listed = listed.iter().filter(|entry| entry.name == b"name");
            assert_eq!(listed.count(), 1);
        }
        seen
    };
    let (seen, ()) = tokio::join!(looking, renaming);
    assert!(seen.len() > 3, "the two did not happen at the same time");
    assert_eq!(client.list(root, 65_536).await.unwrap().len(), 1);
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn an_exclusive_create_that_is_repeated_succeeds_and_anothers_fails() {
    let mut cluster = Cluster::start(Shape::OneProcess).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let first = client
        .create(root, b"file", CreateHow::Exclusive([1; 8]))
        .await
        .unwrap();
    cluster.kill9();
    cluster.start_all().unwrap();
    let (client, _) = cluster.client().await.unwrap();
    let repeated = client
        .create(root, b"file", CreateHow::Exclusive([1; 8]))
        .await
        .unwrap();
    assert_eq!(repeated.object, first.object);
    let others = client
        .create(root, b"file", CreateHow::Exclusive([2; 8]))
        .await;
    assert!(is_status(others, nfsstat3::NFS3ERR_EXIST));
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn a_write_is_seen_at_once_through_every_connection() {
    let mut cluster = Cluster::start(Shape::OneProcess).unwrap();
    let (writer, root) = cluster.client().await.unwrap();
    let (reader, _) = cluster.client().await.unwrap();
    let file = make_file(&writer, root, "file").await.unwrap();
    for number in 0..200u64 {
        let text = format!("line {number:05}\n");
        let offset = number * text.len() as u64;
        writer
            .write(file, offset, text.as_bytes(), StableHow::Unstable)
            .await
            .unwrap();
        let size = reader.getattr(file).await.unwrap().size;
        assert_eq!(size, offset + text.len() as u64);
        let read = reader.read(file, offset, 1000).await.unwrap();
        assert_eq!(&read.data[..], text.as_bytes());
        assert!(read.end_of_file);
    }
    let name = b"moved";
    writer.rename((root, b"file"), (root, name)).await.unwrap();
    assert_eq!(reader.lookup(root, name).await.unwrap().object, file);
    assert!(is_status(
        reader.lookup(root, b"file").await,
        nfsstat3::NFS3ERR_NOENT
    ));
    cluster.terminate().unwrap();
}

/// Flips bits where a file's data lies on disk: reading it gives an error, and never wrong data.
#[tokio::test]
async fn damaged_data_is_never_passed_on() {
    const MARK: &[u8] = b"sluice-tests: this is where the data lies";
    let mut cluster = Cluster::start(Shape::OneProcess).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let (damaged, whole) = (
        make_file(&client, root, "damaged").await.unwrap(),
        make_file(&client, root, "whole").await.unwrap(),
    );
    let mut data = vec![0x5a; 3 << 20];
    data[5000..5000 + MARK.len()].copy_from_slice(MARK);
    write_all(&client, damaged, 0, &data).await.unwrap();
    write_all(&client, whole, 0, &[0xa5; 100_000])
        .await
        .unwrap();
    cluster.terminate().unwrap();
    let flipped = flip_after_marks(cluster.data_dir(), MARK);
    assert!(flipped > 0, "the data is nowhere on the disk");
    cluster.start_all().unwrap();
    let (client, _) = cluster.client().await.unwrap();
    let read = client.read(damaged, 0, 65_536).await;
    assert!(is_status(read, nfsstat3::NFS3ERR_IO));
    assert_eq!(
        read_all(&client, whole, 0, 200_000).await.unwrap(),
        vec![0xa5; 100_000]
    );
    let metrics = cluster.metrics().unwrap();
    assert!(metrics.sum("sluice_store_checksum_failures_total", &[]) >= 1.0);
    cluster.assert_alive();
}

/// Changes the byte after each occurrence of `mark` in any file below `folder`: how many.
fn flip_after_marks(folder: &Path, mark: &[u8]) -> usize {
    let mut flipped = 0;
    for path in files_below(folder) {
        for position in positions(&path, mark) {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
                .unwrap();
            let mut byte = [0];
            file.seek(SeekFrom::Start(position)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(position)).unwrap();
            file.write_all(&[byte[0] ^ 0x10]).unwrap();
            file.sync_all().unwrap();
            flipped += 1;
        }
    }
    flipped
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Where `mark` ends in a file, which may be large and mostly holes.
fn positions(path: &Path, mark: &[u8]) -> Vec<u64> {
    let mut file = File::open(path).unwrap();
    let mut found = Vec::new();
    let mut window = Vec::new();
    let mut start = 0u64;
    let mut piece = vec![0; 4 << 20];
    loop {
        let count = file.read(&mut piece).unwrap();
        if count == 0 {
            return found;
        }
        window.extend_from_slice(&piece[..count]);
        let first = |byte: &u8| *byte == mark[0];
        let mut from = 0;
        while let Some(at) = window[from..].iter().position(first).map(|at| at + from) {
            if window[at..].starts_with(mark) {
                found.push(start + (at + mark.len()) as u64);
            }
            from = at + 1;
        }
        let keep = window.len().min(mark.len() - 1);
        start += (window.len() - keep) as u64;
        window.drain(..window.len() - keep);
    }
}

/// Bytes of each WRITE that fills a file system.
const FILLING_BYTES: usize = 1 << 20;

/// Writes to a file until that is refused: how many bytes were accepted, and the error.
async fn fill(client: &NfsClient, file: FileHandle) -> (u64, NfsError) {
    let mut written = 0;
    loop {
        let piece = pattern_at(written, FILLING_BYTES);
        match client
            .write(file, written, &piece, StableHow::Unstable)
            .await
        {
            Ok(done) => assert_eq!(done.count as usize, FILLING_BYTES),
            Err(error) => return (written, error),
        }
        written += FILLING_BYTES as u64;
        assert!(written < 2 << 30, "it holds more than its targets can");
    }
}

async fn assert_filled(client: &NfsClient, file: FileHandle, written: u64) {
    // The write that was refused may have been done in part.
    assert!(client.getattr(file).await.unwrap().size >= written);
    for offset in (0..written).step_by(FILLING_BYTES) {
        let read = read_all(client, file, offset, FILLING_BYTES).await;
        assert!(
            read.unwrap() == pattern_at(offset, FILLING_BYTES),
            "lost what was accepted at {offset}"
        );
    }
}

/// A full file system says so, harms nothing that was there, and has room again once something is removed.
#[tokio::test]
async fn a_full_file_system_says_so_in_time_and_recovers() {
    let settings = Settings {
        target_capacity: Some("256MiB"),
        ..Settings::default()
    };
    let mut cluster = Cluster::start_with(Shape::Separate, settings).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let precious = make_file(&client, root, "precious").await.unwrap();
    let data = pattern(5 << 20);
    write_all(&client, precious, 0, &data).await.unwrap();
    let filler = make_file(&client, root, "filler").await.unwrap();
    let (written, refused) = fill(&client, filler).await;
    assert!(is_status::<()>(Err(refused), nfsstat3::NFS3ERR_NOSPC));
    // What was accepted is kept: its space was set aside.
    client.commit(filler, 0, 0).await.unwrap();
    assert_filled(&client, filler, written).await;
    cluster.terminate().unwrap();
    cluster.start_all().unwrap();
    let (client, _) = cluster.client().await.unwrap();
    assert_filled(&client, filler, written).await;
    assert_eq!(
        read_all(&client, precious, 0, data.len()).await.unwrap(),
        data
    );
    client.remove(root, b"filler").await.unwrap();
    let again = make_file(&client, root, "again").await.unwrap();
    let freed = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        loop {
            let how = StableHow::FileSync;
            if client.write(again, 0, &vec![1; 1 << 20], how).await.is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    freed.await.expect("removing a file freed nothing");
    cluster.admin(&["check"]).unwrap();
    cluster.terminate().unwrap();
}

#[tokio::test]
async fn set_id_bits_are_cleared_as_on_local_file_systems() {
    let mut cluster = Cluster::start(Shape::OneProcess).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let made = client
        .create(root, b"program", CreateHow::Guarded(with_mode(0o6777)))
        .await;
    let program = made.unwrap().object.unwrap();
    assert_eq!(client.getattr(program).await.unwrap().mode & 0o7777, 0o6777);
    let user = client.as_user(sluice_tests::nfs_client::User::new(1001, 1001));
    user.write(program, 0, b"x", StableHow::FileSync)
        .await
        .unwrap();
    assert_eq!(
        client.getattr(program).await.unwrap().mode & 0o6000,
        0,
        "still set-id after a write"
    );
    cluster.terminate().unwrap();
}
