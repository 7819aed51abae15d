//! What an export allows.

use sluice::config::ExportConfig;
use sluice::up::{Running, UpConfig};
use sluice_proto_nfs::nfs3::{
    CreateHow, FileHandle, MknodWhat, SetAttributes, StableHow, nfsstat3,
};
use sluice_tests::nfs_client::files::{make_dir, make_file, read_all, with_mode, with_size};
use sluice_tests::nfs_client::{NfsClient, NfsError};
use sluice_tests::scratch::temporary_dir;

/// RFC 1813 3.3.4.
const READ: u32 = 0x01;
const LOOKUP: u32 = 0x02;
const EVERYTHING: u32 = 0x3f;

/// What each procedure that changes something says to a change of `directory`, which has a `file`, a `link` and an
/// empty directory `empty`.
async fn refusals(
    client: &NfsClient,
    directory: FileHandle,
) -> Vec<(&'static str, Option<nfsstat3>)> {
    fn refusal<T>(result: Result<T, NfsError>) -> Option<nfsstat3> {
        result.err().and_then(|error| error.status())
    }
    let plain = SetAttributes::default;
    let file = client.lookup(directory, b"file").await.unwrap().object;
    let cut = client.setattr(file, with_size(1), None).await;
    let write = client.write(file, 0, b"new", StableHow::Unstable).await;
    let here = |name: &'static [u8]| (directory, name);
    let mut said = vec![
        ("SETATTR", refusal(cut)),
        ("WRITE", refusal(write)),
        (
            "SYMLINK",
            refusal(client.symlink(directory, b"new", b"file", plain()).await),
        ),
        (
            "MKDIR",
            refusal(client.mkdir(directory, b"new", plain()).await),
        ),
        (
            "MKNOD",
            refusal(
                client
                    .mknod(directory, b"new", MknodWhat::Pipe(plain()))
                    .await,
            ),
        ),
        ("REMOVE", refusal(client.remove(directory, b"file").await)),
        ("RMDIR", refusal(client.rmdir(directory, b"empty").await)),
        (
            "RENAME",
            refusal(client.rename(here(b"file"), here(b"new")).await),
        ),
        ("LINK", refusal(client.link(file, directory, b"new").await)),
    ];
    // What cannot be written has nothing to commit, as Linux' own server sees it.
    said.push(("COMMIT", refusal(client.commit(file, 0, 0).await)));
    // Also of a file that is there: with CREATE it may be cut.
    for (name, how) in [
        (&b"new"[..], CreateHow::Guarded(with_mode(0o644))),
        (b"new", CreateHow::Exclusive([7; 8])),
        (b"file", CreateHow::Unchecked(with_size(0))),
    ] {
        said.push(("CREATE", refusal(client.create(directory, name, how).await)));
    }
    said
}

/// Everything that only reads, as it is through an export that may be written.
async fn read_everything(client: &NfsClient, directory: FileHandle) {
    let file = client.lookup(directory, b"file").await.unwrap().object;
    assert_eq!(read_all(client, file, 0, 100).await.unwrap(), b"data");
    let link = client.lookup(directory, b"link").await.unwrap().object;
    assert_eq!(client.readlink(link).await.unwrap(), b"file");
    assert_eq!(client.getattr(file).await.unwrap().size, 4);
    assert_eq!(client.list(directory, 4096).await.unwrap().len(), 3);
    client.fsstat(directory).await.unwrap();
    client.fsinfo(directory).await.unwrap();
    client.pathconf(directory).await.unwrap();
    assert_eq!(
        client.access(directory, EVERYTHING).await.unwrap(),
        READ | LOOKUP
    );
    assert_eq!(client.access(file, EVERYTHING).await.unwrap(), READ);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_export_shows_everything_and_changes_nothing() {
    let data = temporary_dir("exports-").unwrap();
    let export = |id, path: &str, read_only| ExportConfig {
        id: Some(id),
        path: path.to_owned(),
        read_only,
        ..ExportConfig::everything()
    };
    let config = UpConfig {
        exports: vec![export(1, "/", false), export(2, "/shown", true)],
        ..UpConfig::for_tests(data.path().join("data"))
    };
    let running = Running::start(config).await.unwrap();
    let (client, root) = NfsClient::connect(running.nfs_address(), "/")
        .await
        .unwrap();
    let shown = make_dir(&client, root, "shown").await.unwrap();
    let file = make_file(&client, shown, "file").await.unwrap();
    client
        .write(file, 0, b"data", StableHow::FileSync)
        .await
        .unwrap();
    let plain = SetAttributes::default();
    client
        .symlink(shown, b"link", b"file", plain)
        .await
        .unwrap();
    make_dir(&client, shown, "empty").await.unwrap();
    let before = client.getattr(shown).await.unwrap();

    let read_only = client.mount("/shown").await.unwrap();
    let said = refusals(&client, read_only).await;
    assert_eq!(said.len(), 13);
    for (procedure, refusal) in said {
        assert_eq!(
            refusal.map(|status| status as u32),
            Some(nfsstat3::NFS3ERR_ROFS as u32),
            "{procedure}"
        );
    }
    read_everything(&client, read_only).await;
    let after = client.getattr(shown).await.unwrap();
    assert_eq!(
        (after.mtime.seconds, after.mtime.nseconds),
        (before.mtime.seconds, before.mtime.nseconds)
    );

    // The same directory through the other export.
    client
        .rename((shown, b"file"), (shown, b"moved"))
        .await
        .unwrap();
    client.lookup(read_only, b"moved").await.unwrap();
    running.shutdown().await.unwrap();
}
