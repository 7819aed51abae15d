//! Removing names.

use std::time::Duration;

use sluice_types::FsError;

use crate::tests::support::{Fixture, ROOT, mode};

#[tokio::test]
async fn an_inode_goes_with_its_last_name() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = root.create(ROOT, "file", 0o644).await.unwrap();
    root.link(file.id, ROOT, "other").await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let removed = root.remove(ROOT, "file").await.unwrap();
    assert_eq!(removed.node.attributes.link_count, 1);
    assert!(removed.node.attributes.changed > file.attributes.changed);
    assert_eq!(removed.node.attributes.modified, file.attributes.modified);
    assert!(removed.directory.after.modified > removed.directory.before.modified);
    assert_eq!(root.lookup(ROOT, "file").await, Err(FsError::NotFound));
    assert_eq!(root.inode(file.id).await.unwrap(), removed.node);
    let removed = root.remove(ROOT, "other").await.unwrap();
    assert_eq!(removed.node.attributes.link_count, 0);
    assert_eq!(root.inode(file.id).await, Err(FsError::Stale));
    let again = root.remove(ROOT, "other").await.map(|_| ());
    assert_eq!(again, Err(FsError::NotFound));
    fixture.assert_sound().await;
}

#[tokio::test]
async fn directories_and_others_are_removed_each_in_their_way() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let directory = root.mkdir(ROOT, "directory", 0o755).await.unwrap();
    root.create(directory.id, "file", 0o644).await.unwrap();
    let refused = root.remove(ROOT, "directory").await.map(|_| ());
    assert_eq!(refused, Err(FsError::IsDirectory));
    let refused = root.rmdir(directory.id, "file").await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotDirectory));
    let refused = root.rmdir(ROOT, "directory").await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotEmpty));
    root.remove(directory.id, "file").await.unwrap();
    let removed = root.rmdir(ROOT, "directory").await.unwrap();
    assert_eq!(removed.node.attributes.link_count, 0);
    assert_eq!(removed.directory.after.link_count, 2);
    assert_eq!(
        root.create(directory.id, "late", 0o644).await,
        Err(FsError::Stale)
    );
    fixture.assert_sound().await;
}

#[tokio::test]
async fn removal_needs_write_and_search() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let directory = root.mkdir(ROOT, "directory", 0o755).await.unwrap();
    root.create(directory.id, "file", 0o666).await.unwrap();
    for (bits, expected) in [
        (0o755, Err(FsError::AccessDenied)),
        (0o756, Err(FsError::AccessDenied)),
        (0o753, Ok(())),
    ] {
        root.set(directory.id, mode(bits)).await.unwrap();
        let removed = user.remove(directory.id, "file").await;
        assert_eq!(removed.map(|_| ()), expected, "{bits:o}");
    }
    // What is not there is said to who may search only.
    root.set(directory.id, mode(0o755)).await.unwrap();
    let refused = user.remove(directory.id, "file").await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotFound));
    root.set(directory.id, mode(0o754)).await.unwrap();
    let refused = user.remove(directory.id, "file").await.map(|_| ());
    assert_eq!(refused, Err(FsError::AccessDenied));
}

#[tokio::test]
async fn a_sticky_directory_keeps_what_is_others() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let other = fixture.user(11, 11);
    let sticky = root.mkdir(ROOT, "sticky", 0o1777).await.unwrap();
    user.create(sticky.id, "file", 0o666).await.unwrap();
    user.mkdir(sticky.id, "directory", 0o777).await.unwrap();
    let refused = other.remove(sticky.id, "file").await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotPermitted));
    let refused = other.rmdir(sticky.id, "directory").await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotPermitted));
    user.remove(sticky.id, "file").await.unwrap();
    user.rmdir(sticky.id, "directory").await.unwrap();
    // The directory's owner and the superuser may anyway.
    let own = other.mkdir(sticky.id, "own", 0o777).await.unwrap();
    other.set(own.id, mode(0o1777)).await.unwrap();
    for who in [&other, &root] {
        user.create(own.id, "file", 0o600).await.unwrap();
        who.remove(own.id, "file").await.unwrap();
    }
    fixture.assert_sound().await;
}
