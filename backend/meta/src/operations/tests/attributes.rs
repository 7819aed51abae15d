//! `chmod`, `chown`, `truncate` and `utimensat`, by everyone.

use std::time::Duration;

use sluice_types::{
    Access, FILE_SIZE_MAX, FsError, Inode, Mode, SetAttributes, SetTime, Timestamp,
};
use sluice_wire::meta::{CheckAccess, SetInode};

use crate::tests::support::{Fixture, ROOT, User, mode};

fn owner(uid: Option<u32>, gid: Option<u32>) -> SetAttributes {
    SetAttributes {
        uid,
        gid,
        ..SetAttributes::default()
    }
}

fn size(bytes: u64) -> SetAttributes {
    SetAttributes {
        size_bytes: Some(bytes),
        ..SetAttributes::default()
    }
}

fn times(time: SetTime) -> SetAttributes {
    SetAttributes {
        accessed: Some(time),
        modified: Some(time),
        ..SetAttributes::default()
    }
}

/// A file of user 10 and group 20 with this mode.
async fn file(fixture: &Fixture, bits: u32) -> Inode {
    let root = fixture.root();
    let name = format!("file {bits:o}");
    let file = root.create(ROOT, &name, 0o600).await.unwrap();
    root.set(file.id, owner(Some(10), Some(20))).await.unwrap();
    root.set(file.id, mode(bits)).await.unwrap()
}

fn mode_of(node: &Inode) -> u16 {
    node.attributes.mode.bits()
}

#[tokio::test]
async fn only_the_owner_changes_the_mode() {
    let fixture = Fixture::new().await;
    let file = file(&fixture, 0o666).await;
    for (who, allowed) in [
        (fixture.root(), true),
        (fixture.user(10, 99), true),
        (fixture.user(11, 20), false),
    ] {
        let changed = who.set(file.id, mode(0o644)).await;
        match allowed {
            true => assert_eq!(mode_of(&changed.unwrap()), 0o644),
            false => assert_eq!(changed, Err(FsError::NotPermitted)),
        }
    }
}

#[tokio::test]
async fn set_group_id_is_for_members() {
    let fixture = Fixture::new().await;
    let file = file(&fixture, 0o755).await;
    let outsider = fixture.user(10, 99);
    let changed = outsider.set(file.id, mode(0o6755)).await.unwrap();
    assert_eq!(mode_of(&changed), 0o4755);
    let member = fixture.user(10, 99).in_group(20);
    let changed = member.set(file.id, mode(0o6755)).await.unwrap();
    assert_eq!(mode_of(&changed), 0o6755);
    // Asked for together with a new group, that group counts.
    let changes = SetAttributes {
        gid: Some(30),
        ..mode(0o2745)
    };
    let member = fixture.user(10, 30);
    let changed = member.set(file.id, changes).await.unwrap();
    assert_eq!((mode_of(&changed), changed.attributes.gid), (0o2745, 30));
}

#[tokio::test]
async fn who_may_change_the_owner() {
    let fixture = Fixture::new().await;
    let of_ten = file(&fixture, 0o666).await;
    let ten = fixture.user(10, 20).in_group(30);
    let eleven = fixture.user(11, 20);
    let cases = [
        (&ten, owner(Some(11), None), false),
        (&ten, owner(None, Some(40)), false),
        (&ten, owner(Some(10), Some(30)), true),
        (&ten, owner(None, Some(20)), true),
        (&ten, owner(Some(10), None), true),
        (&eleven, owner(None, Some(20)), false),
        (&eleven, owner(Some(11), None), false),
        (&fixture.root(), owner(Some(5), Some(6)), true),
    ];
    for (who, changes, allowed) in cases {
        let changed = who.set(of_ten.id, changes).await;
        match allowed {
            true => {
                let attributes = changed.unwrap().attributes;
                assert_eq!(attributes.uid, changes.uid.unwrap_or(attributes.uid));
                assert_eq!(attributes.gid, changes.gid.unwrap_or(attributes.gid));
            }
            false => assert_eq!(changed, Err(FsError::NotPermitted), "{changes:?}"),
        }
    }
}

#[tokio::test]
async fn a_change_of_owner_takes_set_ids() {
    let fixture = Fixture::new().await;
    let ten = fixture.user(10, 20).in_group(30);
    for (bits, expected) in [(0o6755, 0o755), (0o6745, 0o2745), (0o4644, 0o644)] {
        for who in [&ten, &fixture.root()] {
            let file = file(&fixture, bits).await;
            let changed = who.set(file.id, owner(None, Some(30))).await.unwrap();
            assert_eq!(mode_of(&changed), expected, "{bits:o}");
            fixture
                .root()
                .remove(ROOT, &format!("file {bits:o}"))
                .await
                .unwrap();
        }
    }
    // A directory keeps them: there they mean something else.
    let root = fixture.root();
    let directory = root.mkdir(ROOT, "directory", 0o2755).await.unwrap();
    let changed = root
        .set(directory.id, owner(Some(10), Some(30)))
        .await
        .unwrap();
    assert_eq!(mode_of(&changed), 0o2755);
}

#[tokio::test]
async fn a_change_of_size_by_others_takes_set_ids() {
    let fixture = Fixture::new().await;
    let file = file(&fixture, 0o6777).await;
    let changed = fixture.root().set(file.id, size(5)).await.unwrap();
    assert_eq!(mode_of(&changed), 0o6777);
    let changed = fixture.user(11, 21).set(file.id, size(6)).await.unwrap();
    assert_eq!(mode_of(&changed), 0o777);
}

#[tokio::test]
async fn who_may_change_the_size() {
    let fixture = Fixture::new().await;
    let file = file(&fixture, 0o464).await;
    for (who, allowed) in [
        (fixture.root(), true),
        (fixture.user(10, 1), true),
        (fixture.user(11, 20), true),
        (fixture.user(11, 1), false),
    ] {
        let changed = who.set(file.id, size(1)).await;
        let expected = if allowed {
            Ok(())
        } else {
            Err(FsError::AccessDenied)
        };
        assert_eq!(changed.map(|_| ()), expected);
    }
    let root = fixture.root();
    let fifo = root.symlink(ROOT, "link", "x").await.unwrap();
    for (inode, bytes, error) in [
        (ROOT, 1, FsError::IsDirectory),
        (fifo.id, 1, FsError::Invalid),
        (file.id, FILE_SIZE_MAX + 1, FsError::FileTooLarge),
    ] {
        assert_eq!(root.set(inode, size(bytes)).await, Err(error));
    }
}

#[tokio::test]
async fn a_truncation_leaves_something_to_cut() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = file(&fixture, 0o644).await;
    let grown = root.set(file.id, size(1000)).await.unwrap();
    assert_eq!(grown.pending_trim, None);
    assert!(grown.data_version > file.data_version);
    let cut = root.set(file.id, size(500)).await.unwrap();
    assert_eq!(cut.pending_trim, Some(500));
    assert!(cut.data_version > grown.data_version);
    let cut = root.set(file.id, size(700)).await.unwrap();
    assert_eq!(cut.pending_trim, Some(500), "growing leaves it");
    let cut = root.set(file.id, size(600)).await.unwrap();
    assert_eq!(cut.pending_trim, Some(500), "the least counts");
    let cut = root.set(file.id, size(100)).await.unwrap();
    assert_eq!(cut.pending_trim, Some(100));
    fixture.clock.advance(Duration::from_secs(1));
    let same = root.set(file.id, size(100)).await.unwrap();
    assert!(same.attributes.modified > cut.attributes.modified);
    assert_eq!(same.pending_trim, Some(100));
    assert_eq!(
        same.writer,
        sluice_types::SessionId::new(1),
        "the one who cuts storage"
    );
}

#[tokio::test]
async fn who_may_set_times() {
    let fixture = Fixture::new().await;
    let given = SetTime::To(Timestamp::new(1_900_000_000, 7));
    let read_only = file(&fixture, 0o444).await;
    let writable = file(&fixture, 0o666).await;
    let stranger = fixture.user(11, 21);
    let cases: [(&User, &Inode, SetTime, Result<(), FsError>); 7] = [
        (
            &stranger,
            &read_only,
            SetTime::Now,
            Err(FsError::AccessDenied),
        ),
        (&stranger, &read_only, given, Err(FsError::NotPermitted)),
        (&stranger, &writable, SetTime::Now, Ok(())),
        (&stranger, &writable, given, Err(FsError::NotPermitted)),
        (&fixture.user(10, 20), &read_only, SetTime::Now, Ok(())),
        (&fixture.user(10, 20), &read_only, given, Ok(())),
        (&fixture.root(), &read_only, given, Ok(())),
    ];
    for (who, file, time, expected) in cases {
        let changed = who.set(file.id, times(time)).await;
        if let (Ok(changed), SetTime::To(time)) = (&changed, time) {
            assert_eq!(changed.attributes.accessed, time);
            assert_eq!(changed.attributes.modified, time);
            assert_ne!(changed.attributes.changed, time);
        }
        assert_eq!(changed.map(|_| ()), expected);
    }
}

#[tokio::test]
async fn the_change_time_always_moves_on() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let mut last = file(&fixture, 0o644).await.attributes.changed;
    let file = root.lookup(ROOT, "file 644").await.unwrap();
    for seconds in [2000, 2000, 1000, 5] {
        // Also when the clock stands still or is set back.
        fixture.clock.set(seconds);
        let changed = root
            .set(file.id, mode(0o644))
            .await
            .unwrap()
            .attributes
            .changed;
        assert!(changed > last, "at {seconds}");
        last = changed;
    }
}

#[tokio::test]
async fn nothing_asked_for_changes_nothing() {
    let fixture = Fixture::new().await;
    let file = file(&fixture, 0o644).await;
    let stranger = fixture.user(11, 21);
    let changed = stranger.set(file.id, SetAttributes::default()).await;
    assert_eq!(changed.unwrap(), file);
}

#[tokio::test]
async fn a_guard_must_match() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = file(&fixture, 0o644).await;
    let set = |guard| SetInode {
        inode: file.id,
        changes: mode(0o600),
        guard: Some(guard),
        data_version: None,
    };
    let changed = root.run(set(file.attributes.changed)).await.unwrap();
    assert_eq!(changed.before, file.attributes.wcc());
    let refused = root.run(set(file.attributes.changed)).await.map(|_| ());
    assert_eq!(refused, Err(FsError::GuardMismatch));
}

#[tokio::test]
async fn access_is_what_operations_grant() {
    let fixture = Fixture::new().await;
    let file = file(&fixture, 0o751).await;
    let inode = file.id;
    for (who, granted) in [
        (fixture.user(10, 1), Access::ALL),
        (fixture.user(11, 20), Access::READ.and(Access::EXECUTE)),
        (fixture.user(11, 1), Access::EXECUTE),
        (fixture.root(), Access::ALL),
    ] {
        let checked = who.run(CheckAccess { inode }).await.unwrap();
        assert_eq!(checked.granted, granted);
        assert_eq!(checked.node, file);
    }
    assert!(
        Mode::new(0o751).has(Mode::SET_UID | 0o1),
        "the file is executable"
    );
}
