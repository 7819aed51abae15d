//! Moving names.

use std::time::Duration;

use sluice_types::{FsError, SetAttributes};

use crate::tests::support::{Fixture, ROOT, User, mode};

async fn kind_matrix(root: &User, source: &str, target: &str) -> Result<(), FsError> {
    let parent = root.mkdir(ROOT, "matrix", 0o755).await.unwrap().id;
    for (name, kind) in [("source", source), ("target", target)] {
        match kind {
            "none" => {}
            "file" => drop(root.create(parent, name, 0o644).await.unwrap()),
            "link" => drop(root.symlink(parent, name, "x").await.unwrap()),
            "empty" => drop(root.mkdir(parent, name, 0o755).await.unwrap()),
            "full" => {
                let directory = root.mkdir(parent, name, 0o755).await.unwrap();
                root.create(directory.id, "file", 0o644).await.unwrap();
            }
            other => panic!("{other}"),
        }
    }
    let renamed = root.rename((parent, "source"), (parent, "target")).await;
    root.rename((ROOT, "matrix"), (ROOT, &format!("{source} {target}")))
        .await
        .unwrap();
    renamed.map(|_| ())
}

#[tokio::test]
async fn what_can_take_the_name_of_what() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let cases = [
        ("file", "none", Ok(())),
        ("file", "file", Ok(())),
        ("file", "link", Ok(())),
        ("link", "file", Ok(())),
        ("file", "empty", Err(FsError::IsDirectory)),
        ("link", "full", Err(FsError::IsDirectory)),
        ("empty", "none", Ok(())),
        ("full", "none", Ok(())),
        ("empty", "file", Err(FsError::NotDirectory)),
        ("full", "link", Err(FsError::NotDirectory)),
        ("empty", "empty", Ok(())),
        ("full", "empty", Ok(())),
        ("empty", "full", Err(FsError::NotEmpty)),
        ("none", "file", Err(FsError::NotFound)),
    ];
    for (source, target, expected) in cases {
        let renamed = kind_matrix(&root, source, target).await;
        assert_eq!(renamed, expected, "{source} over {target}");
    }
    fixture.assert_sound().await;
}

#[tokio::test]
async fn counts_times_and_parents_follow() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let from = root.mkdir(ROOT, "from", 0o755).await.unwrap();
    let to = root.mkdir(ROOT, "to", 0o755).await.unwrap();
    let moved = root.mkdir(from.id, "moved", 0o755).await.unwrap();
    let replaced = root.mkdir(to.id, "name", 0o755).await.unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let renamed = root
        .rename((from.id, "moved"), (to.id, "name"))
        .await
        .unwrap();
    assert_eq!(renamed.from.after.link_count, 2);
    assert_eq!(renamed.to.after.link_count, 3);
    assert_eq!(renamed.node.parent, to.id);
    assert!(renamed.node.attributes.changed > moved.attributes.changed);
    assert_eq!(renamed.node.attributes.modified, moved.attributes.modified);
    let gone = renamed.replaced.unwrap();
    assert_eq!((gone.id, gone.attributes.link_count), (replaced.id, 0));
    assert_eq!(root.inode(replaced.id).await, Err(FsError::Stale));
    for change in [&renamed.from, &renamed.to] {
        assert!(change.after.modified > change.before.modified);
        assert_eq!(change.after.modified, change.after.changed);
    }
    assert_eq!(root.lookup(to.id, "name").await.unwrap().id, moved.id);
    assert_eq!(root.lookup(from.id, "moved").await, Err(FsError::NotFound));
    fixture.assert_sound().await;
}

#[tokio::test]
async fn a_replaced_file_keeps_its_other_names() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = root.create(ROOT, "file", 0o644).await.unwrap();
    let old = root.create(ROOT, "old", 0o644).await.unwrap();
    root.link(old.id, ROOT, "kept").await.unwrap();
    let renamed = root.rename((ROOT, "file"), (ROOT, "old")).await.unwrap();
    assert_eq!(renamed.from, renamed.to);
    assert_eq!(renamed.replaced.unwrap().attributes.link_count, 1);
    assert_eq!(root.lookup(ROOT, "old").await.unwrap().id, file.id);
    assert_eq!(root.lookup(ROOT, "kept").await.unwrap().id, old.id);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn two_names_of_one_file_stay() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = root.create(ROOT, "one", 0o644).await.unwrap();
    let linked = root.link(file.id, ROOT, "other").await.unwrap();
    for to in ["other", "one"] {
        let renamed = root.rename((ROOT, "one"), (ROOT, to)).await.unwrap();
        assert_eq!(renamed.node, linked.node);
        assert_eq!(renamed.replaced, None);
        assert_eq!(renamed.from.before, renamed.from.after.wcc());
    }
    assert_eq!(root.lookup(ROOT, "one").await.unwrap().id, file.id);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn no_directory_goes_into_itself() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let a = root.mkdir(ROOT, "a", 0o755).await.unwrap();
    let b = root.mkdir(a.id, "b", 0o755).await.unwrap();
    let c = root.mkdir(b.id, "c", 0o755).await.unwrap();
    for (into, expected) in [
        (a.id, FsError::Invalid),
        (b.id, FsError::Invalid),
        (c.id, FsError::Invalid),
    ] {
        let refused = root.rename((ROOT, "a"), (into, "new")).await.map(|_| ());
        assert_eq!(refused, Err(expected));
    }
    let refused = root.rename((a.id, "b"), (c.id, "new")).await.map(|_| ());
    assert_eq!(refused, Err(FsError::Invalid));
    // Over an ancestor: it is not empty.
    let refused = root.rename((b.id, "c"), (ROOT, "a")).await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotEmpty));
    root.rename((a.id, "b"), (ROOT, "b")).await.unwrap();
    root.rename((ROOT, "a"), (c.id, "a")).await.unwrap();
    fixture.assert_sound().await;
}

#[tokio::test]
async fn both_directories_must_be_writable() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let from = root.mkdir(ROOT, "from", 0o755).await.unwrap();
    let to = root.mkdir(ROOT, "to", 0o755).await.unwrap();
    root.create(from.id, "file", 0o666).await.unwrap();
    for (from_bits, to_bits, expected) in [
        (0o755, 0o755, Err(FsError::AccessDenied)),
        (0o777, 0o755, Err(FsError::AccessDenied)),
        (0o755, 0o777, Err(FsError::AccessDenied)),
        (0o776, 0o777, Err(FsError::AccessDenied)),
        (0o777, 0o776, Err(FsError::AccessDenied)),
        (0o773, 0o773, Ok(())),
    ] {
        root.set(from.id, mode(from_bits)).await.unwrap();
        root.set(to.id, mode(to_bits)).await.unwrap();
        let renamed = user.rename((from.id, "file"), (to.id, "file")).await;
        assert_eq!(renamed.map(|_| ()), expected, "{from_bits:o} {to_bits:o}");
    }
}

#[tokio::test]
async fn a_directory_that_changes_its_parent_must_be_writable() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    root.set(ROOT, mode(0o777)).await.unwrap();
    root.mkdir(ROOT, "others", 0o755).await.unwrap();
    let to = root.mkdir(ROOT, "to", 0o777).await.unwrap();
    user.rename((ROOT, "others"), (ROOT, "renamed"))
        .await
        .unwrap();
    let refused = user.rename((ROOT, "renamed"), (to.id, "moved")).await;
    assert_eq!(refused.map(|_| ()), Err(FsError::AccessDenied));
    root.create(ROOT, "file", 0o600).await.unwrap();
    user.rename((ROOT, "file"), (to.id, "file")).await.unwrap();
}

#[tokio::test]
async fn sticky_directories_guard_both_names() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let other = fixture.user(11, 11);
    let open = root.mkdir(ROOT, "open", 0o777).await.unwrap();
    let sticky = root.mkdir(ROOT, "sticky", 0o1777).await.unwrap();
    user.create(sticky.id, "users", 0o666).await.unwrap();
    user.mkdir(sticky.id, "directory", 0o777).await.unwrap();
    other.create(open.id, "others", 0o666).await.unwrap();
    for name in ["users", "directory"] {
        for to in [(open.id, "new"), (sticky.id, "new")] {
            let refused = other.rename((sticky.id, name), to).await.map(|_| ());
            assert_eq!(refused, Err(FsError::NotPermitted), "out: {name}");
        }
    }
    let over = other
        .rename((open.id, "others"), (sticky.id, "users"))
        .await;
    assert_eq!(over.map(|_| ()), Err(FsError::NotPermitted));
    user.rename((sticky.id, "users"), (open.id, "new"))
        .await
        .unwrap();
    other
        .rename((open.id, "others"), (sticky.id, "in"))
        .await
        .unwrap();
    // Who owns the sticky directory may.
    let owner = SetAttributes {
        uid: Some(11),
        ..SetAttributes::default()
    };
    root.set(sticky.id, owner).await.unwrap();
    other
        .rename((sticky.id, "directory"), (sticky.id, "taken"))
        .await
        .unwrap();
    fixture.assert_sound().await;
}
