//! Making inodes and names.

use bytes::Bytes;
use sluice_types::{
    Device, FileKind, FsError, InodeId, Layout, Mode, SetAttributes, StripeWidth, Timestamp,
};
use sluice_wire::meta::{
    Create, CreateHow, Lookup, LookupName, MakeNode, MakeSymlink, NodeKind, ReadSymlink, SetLayout,
};

use crate::tests::support::{Fixture, ROOT, mode, name};

#[tokio::test]
async fn a_file_is_made_and_found() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let before = root.inode(ROOT).await.unwrap();
    let made = root
        .create_how(ROOT, "file", CreateHow::Guarded(mode(0o640)))
        .await
        .unwrap();
    assert!(!made.existed);
    assert_eq!(made.directory.before, before.attributes.wcc());
    assert!(made.directory.after.changed > before.attributes.changed);
    assert_eq!(made.directory.after.modified, made.directory.after.changed);
    let attributes = &made.node.attributes;
    assert_eq!(attributes.kind, FileKind::Regular);
    assert_eq!(attributes.mode, Mode::new(0o640));
    assert_eq!((attributes.link_count, attributes.size_bytes), (1, 0));
    assert_eq!(root.lookup(ROOT, "file").await.unwrap(), made.node);
    assert_eq!(root.inode(made.node.id).await.unwrap(), made.node);
    assert_eq!(root.lookup(ROOT, "fil").await, Err(FsError::NotFound));
    assert_eq!(
        root.lookup(made.node.id, "x").await,
        Err(FsError::NotDirectory)
    );
    let gone = InodeId::new(999).unwrap();
    assert_eq!(root.lookup(gone, "x").await, Err(FsError::Stale));
    fixture.assert_sound().await;
}

#[tokio::test]
async fn dot_and_dot_dot_are_found() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let directory = root.mkdir(ROOT, "directory", 0o755).await.unwrap();
    let below = root.mkdir(directory.id, "below", 0o755).await.unwrap();
    for (of, entry, expected) in [
        (below.id, LookupName::Current, below.id),
        (below.id, LookupName::Parent, directory.id),
        (directory.id, LookupName::Parent, ROOT),
        (ROOT, LookupName::Parent, ROOT),
    ] {
        let directory = of;
        let looked = root.run(Lookup { directory, entry }).await.unwrap();
        assert_eq!(looked.node.id, expected);
    }
    assert_eq!(root.inode(ROOT).await.unwrap().attributes.link_count, 3);
}

#[tokio::test]
async fn guarded_refuses_and_unchecked_uses_what_is_there() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let file = root.create(ROOT, "file", 0o604).await.unwrap();
    assert_eq!(root.create(ROOT, "file", 0o600).await, Err(FsError::Exists));
    let wishes = SetAttributes {
        mode: Some(Mode::new(0o777)),
        ..SetAttributes::default()
    };
    let how = CreateHow::Unchecked(wishes);
    let made = user.create_how(ROOT, "file", how).await.unwrap();
    assert!(made.existed);
    assert_eq!(made.node, file);
    // A size is applied, by who may write.
    let how = CreateHow::Unchecked(SetAttributes {
        size_bytes: Some(5),
        ..wishes
    });
    let refused = user.create_how(ROOT, "file", how.clone()).await;
    assert_eq!(refused, Err(FsError::AccessDenied));
    let made = root.create_how(ROOT, "file", how.clone()).await.unwrap();
    assert_eq!(made.node.attributes.size_bytes, 5);
    assert_eq!(made.node.attributes.mode, Mode::new(0o604));
    // Only a regular file can be used so.
    root.mkdir(ROOT, "directory", 0o755).await.unwrap();
    root.symlink(ROOT, "link", "file").await.unwrap();
    let refused = root.create_how(ROOT, "directory", how.clone()).await;
    assert_eq!(refused, Err(FsError::IsDirectory));
    let refused = root.create_how(ROOT, "link", how).await;
    assert_eq!(refused, Err(FsError::Exists));
}

#[tokio::test]
async fn exclusive_create_is_repeatable_until_attributes_are_set() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let (mine, other) = (CreateHow::Exclusive([1; 8]), CreateHow::Exclusive([2; 8]));
    let made = root.create_how(ROOT, "file", mine.clone()).await.unwrap();
    assert!(!made.existed);
    let fixture = fixture.crash().await;
    let root = fixture.root();
    let again = root.create_how(ROOT, "file", mine.clone()).await.unwrap();
    assert!(again.existed);
    assert_eq!(again.node, made.node);
    let refused = root.create_how(ROOT, "file", other).await;
    assert_eq!(refused, Err(FsError::Exists));
    root.set(made.node.id, mode(0o644)).await.unwrap();
    let refused = root.create_how(ROOT, "file", mine).await;
    assert_eq!(refused, Err(FsError::Exists));
}

#[tokio::test]
async fn exists_comes_before_permission_and_search_before_both() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let directory = root.mkdir(ROOT, "directory", 0o755).await.unwrap();
    root.create(directory.id, "file", 0o644).await.unwrap();
    assert_eq!(
        user.create(directory.id, "file", 0o644).await,
        Err(FsError::Exists)
    );
    assert_eq!(
        user.create(directory.id, "new", 0o644).await,
        Err(FsError::AccessDenied)
    );
    root.set(directory.id, mode(0o766)).await.unwrap();
    assert_eq!(
        user.create(directory.id, "file", 0o644).await,
        Err(FsError::AccessDenied)
    );
    root.set(directory.id, mode(0o733)).await.unwrap();
    assert!(user.create(directory.id, "new", 0o644).await.is_ok());
    assert_eq!(
        user.list(directory.id, 0, 10).await.map(|_| ()),
        Err(FsError::AccessDenied)
    );
}

#[tokio::test]
async fn owners_and_groups_of_what_is_made() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 11));
    let plain = root.mkdir(ROOT, "plain", 0o777).await.unwrap();
    let shared = root.mkdir(ROOT, "shared", 0o2777).await.unwrap();
    let group = SetAttributes {
        gid: Some(50),
        ..SetAttributes::default()
    };
    let shared = root.set(shared.id, group).await.unwrap();
    assert_eq!(shared.attributes.mode, Mode::new(0o2777));
    let of = |attributes: &sluice_types::Attributes| (attributes.uid, attributes.gid);

    let file = user.create(plain.id, "file", 0o2755).await.unwrap();
    assert_eq!(of(&file.attributes), (10, 11));
    assert_eq!(file.attributes.mode, Mode::new(0o2755));
    // In a set-group-id directory the group is the directory's; a set-group-id program is only its members' to make.
    let file = user.create(shared.id, "file", 0o2755).await.unwrap();
    assert_eq!(of(&file.attributes), (10, 50));
    assert_eq!(file.attributes.mode, Mode::new(0o755));
    let below = user.mkdir(shared.id, "below", 0o755).await.unwrap();
    assert_eq!(of(&below.attributes), (10, 50));
    assert_eq!(below.attributes.mode, Mode::new(0o2755));
    // Only the superuser makes things for others.
    let wishes = SetAttributes {
        uid: Some(77),
        gid: Some(78),
        ..mode(0o644)
    };
    for (who, expected) in [(&root, (77, 78)), (&user, (10, 11))] {
        let how = CreateHow::Guarded(wishes);
        let made = who
            .create_how(plain.id, &format!("{expected:?}"), how)
            .await;
        assert_eq!(of(&made.unwrap().node.attributes), expected);
    }
    fixture.assert_sound().await;
}

#[tokio::test]
async fn times_can_be_given_at_creation() {
    let fixture = Fixture::new().await;
    let time = Timestamp::new(5, 6);
    let how = CreateHow::Guarded(SetAttributes {
        modified: Some(sluice_types::SetTime::To(time)),
        size_bytes: Some(100),
        ..mode(0o644)
    });
    let made = fixture.root().create_how(ROOT, "file", how).await.unwrap();
    assert_eq!(made.node.attributes.modified, time);
    assert_eq!(made.node.attributes.size_bytes, 100);
    assert!(made.node.attributes.changed > time);
}

#[tokio::test]
async fn symbolic_links_keep_their_targets() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let link = root.symlink(ROOT, "link", "../a target").await.unwrap();
    assert_eq!(link.attributes.size_bytes, 11);
    assert_eq!(link.attributes.mode, Mode::new(0o777));
    let read = root.run(ReadSymlink { inode: link.id }).await.unwrap();
    assert_eq!(&read.target[..], b"../a target");
    let refused = root.run(ReadSymlink { inode: ROOT }).await;
    assert_eq!(refused, Err(FsError::Invalid));
    for (target, error) in [
        (Bytes::new(), FsError::Invalid),
        (Bytes::from(vec![b'a'; 4096]), FsError::NameTooLong),
        (Bytes::from_static(b"a\0b"), FsError::Invalid),
    ] {
        let make = MakeSymlink {
            directory: ROOT,
            name: name("other"),
            attributes: SetAttributes::default(),
            target,
        };
        assert_eq!(root.run(make).await.map(|_| ()), Err(error));
    }
    root.remove(ROOT, "link").await.unwrap();
    let refused = root.run(ReadSymlink { inode: link.id }).await;
    assert_eq!(refused, Err(FsError::Stale));
    fixture.assert_sound().await;
}

#[tokio::test]
async fn devices_are_the_superusers() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    root.set(ROOT, mode(0o777)).await.unwrap();
    let device = Device { major: 8, minor: 3 };
    for (of, node, by_user) in [
        ("fifo", NodeKind::Fifo, true),
        ("socket", NodeKind::Socket, true),
        ("block", NodeKind::BlockDevice(device), false),
        ("character", NodeKind::CharacterDevice(device), false),
    ] {
        let make = MakeNode {
            directory: ROOT,
            name: name(of),
            attributes: mode(0o600),
            node,
        };
        let made = user.run(make.clone()).await;
        if by_user {
            assert!(made.is_ok(), "{of}");
            continue;
        }
        assert_eq!(made.map(|_| ()), Err(FsError::NotPermitted));
        let made = root.run(make).await.unwrap();
        assert_eq!(made.node.attributes.device, device);
    }
    fixture.assert_sound().await;
}

#[tokio::test]
async fn layouts_are_inherited_with_a_fresh_seed() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let directory = root.mkdir(ROOT, "directory", 0o777).await.unwrap();
    let set = SetLayout {
        directory: directory.id,
        layout: Layout {
            stripe_width: StripeWidth::new(2).unwrap(),
            ..Layout::DEFAULT
        },
    };
    let refused = user.run(set).await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotPermitted));
    let changed = root.run(set).await.unwrap();
    assert!(changed.after.attributes.changed > changed.before.changed);
    let below = user.mkdir(directory.id, "below", 0o777).await.unwrap();
    let mut seeds = Vec::new();
    for number in 0..4 {
        let file = user.create(below.id, &format!("{number}"), 0o644).await;
        let layout = file.unwrap().layout;
        assert_eq!(layout.stripe_width.groups(), 2);
        seeds.push(layout.placement_seed);
    }
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 4, "seeds are random");
    let file = root.create(ROOT, "file", 0o644).await.unwrap();
    let set = SetLayout {
        directory: file.id,
        ..set
    };
    assert_eq!(root.run(set).await.map(|_| ()), Err(FsError::NotDirectory));
}

#[tokio::test]
async fn a_file_has_a_bounded_number_of_names() {
    let fixture = Fixture::new().await;
    let (root, user) = (fixture.root(), fixture.user(10, 10));
    let file = root.create(ROOT, "file", 0o644).await.unwrap();
    let linked = root.link(file.id, ROOT, "other").await.unwrap();
    assert!(linked.existed);
    assert_eq!(linked.node.attributes.link_count, 2);
    assert!(linked.node.attributes.changed > file.attributes.changed);
    assert_eq!(linked.node.attributes.modified, file.attributes.modified);
    let refused = root.link(file.id, ROOT, "other").await.map(|_| ());
    assert_eq!(refused, Err(FsError::Exists));
    let refused = user.link(file.id, ROOT, "third").await.map(|_| ());
    assert_eq!(refused, Err(FsError::AccessDenied));
    let refused = root.link(ROOT, ROOT, "root").await.map(|_| ());
    assert_eq!(refused, Err(FsError::NotPermitted));
    for number in 2..crate::LINK_COUNT_MAX {
        root.link(file.id, ROOT, &format!("name {number}"))
            .await
            .unwrap();
    }
    let refused = root.link(file.id, ROOT, "one more").await.map(|_| ());
    assert_eq!(refused, Err(FsError::TooManyLinks));
    fixture.assert_sound().await;
}

#[tokio::test]
async fn too_large_a_size_is_refused_at_creation() {
    let fixture = Fixture::new().await;
    let create = Create {
        directory: ROOT,
        name: name("file"),
        how: CreateHow::Guarded(SetAttributes {
            size_bytes: Some(sluice_types::FILE_SIZE_MAX + 1),
            ..SetAttributes::default()
        }),
    };
    let refused = fixture.root().run(create).await.map(|_| ());
    assert_eq!(refused, Err(FsError::FileTooLarge));
    assert_eq!(
        fixture.root().lookup(ROOT, "file").await,
        Err(FsError::NotFound)
    );
}
