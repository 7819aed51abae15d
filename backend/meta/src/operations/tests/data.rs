//! Writing, trimming, and freeing the storage of removed files.

use std::time::Duration;

use sluice_types::{
    DataVersion, FsError, Inode, InodeId, SessionId, SetAttributes, SetTime, Timestamp,
};
use sluice_wire::meta::{
    BeginWrite, FileSystemStatus, FinishRemovals, FinishTrim, ListInodes, ListRemovals,
    OpenSession, SetInode, UpdateWritten,
};

use crate::tests::support::{Fixture, ROOT, User, mode};

fn written(file: &Inode, size_bytes_min: u64) -> UpdateWritten {
    UpdateWritten {
        inode: file.id,
        data_version: file.data_version,
        size_bytes_min,
        used_bytes: None,
        modified: None,
        end: false,
    }
}

async fn update(user: &User, update: UpdateWritten) -> Inode {
    user.run(update).await.unwrap().after
}

/// A file of user 10 that was opened for writing by session 1.
async fn open_file(fixture: &Fixture, name: &str) -> Inode {
    let root = fixture.root();
    root.set(ROOT, mode(0o777)).await.unwrap();
    let user = fixture.user(10, 10);
    let file = user.create(ROOT, name, 0o644).await.unwrap();
    user.run(BeginWrite { inode: file.id }).await.unwrap()
}

#[tokio::test]
async fn a_write_session_is_durable_and_has_a_version() {
    let fixture = Fixture::new().await;
    let opened = open_file(&fixture, "file").await;
    assert_eq!(opened.writer, SessionId::new(1));
    let before = opened.data_version;
    let fixture = fixture.crash().await;
    let user = fixture.user(10, 10);
    assert_eq!(user.inode(opened.id).await.unwrap(), opened);
    // Another session takes over: nobody knows what was written last.
    fixture.root().end_session(1).await;
    fixture.clock.advance(Duration::from_secs(1));
    let other = fixture.user(10, 10).with_session(2);
    let taken = other.run(BeginWrite { inode: opened.id }).await.unwrap();
    assert_eq!(taken.writer, SessionId::new(2));
    assert_eq!(taken.data_version, DataVersion::new(before.raw() + 1));
    assert!(taken.attributes.modified > opened.attributes.modified);
    assert_eq!(taken.attributes.size_bytes, opened.attributes.size_bytes);
}

#[tokio::test]
async fn who_may_write_what() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = root.create(ROOT, "file", 0o402).await.unwrap();
    let link = root.symlink(ROOT, "link", "x").await.unwrap();
    let (inode, group) = (file.id, fixture.user(10, 0));
    for (who, begin, expected) in [
        (&root, BeginWrite { inode }, Ok(())),
        (&fixture.user(10, 10), BeginWrite { inode }, Ok(())),
        (&group, BeginWrite { inode }, Err(FsError::AccessDenied)),
        (&root, BeginWrite { inode: ROOT }, Err(FsError::IsDirectory)),
        (&root, BeginWrite { inode: link.id }, Err(FsError::Invalid)),
    ] {
        assert_eq!(who.run(begin).await.map(|_| ()), expected, "{begin:?}");
    }
    let nobody = fixture.root().with_session(0);
    let refused = nobody.run(BeginWrite { inode }).await.map(|_| ());
    assert_eq!(refused, Err(FsError::Invalid));
}

#[tokio::test]
async fn a_write_takes_set_ids_but_not_the_superusers() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = root.create(ROOT, "file", 0o6777).await.unwrap();
    let begin = BeginWrite { inode: file.id };
    let opened = root.run(begin).await.unwrap();
    assert_eq!(opened.attributes.mode.bits(), 0o6777);
    assert_eq!(opened.attributes.changed, file.attributes.changed);
    let opened = fixture.user(10, 10).run(begin).await.unwrap();
    assert_eq!(opened.attributes.mode.bits(), 0o777);
    assert!(opened.attributes.changed > file.attributes.changed);
}

#[tokio::test]
async fn sizes_and_times_only_grow() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let at = |seconds| Some(file.attributes.changed.plus(Duration::from_secs(seconds)));
    let first = UpdateWritten {
        modified: at(10),
        used_bytes: Some(4096),
        ..written(&file, 100)
    };
    let after = update(&user, first).await;
    assert_eq!(after.attributes.size_bytes, 100);
    assert_eq!(after.attributes.used_bytes, 4096);
    assert_eq!(Some(after.attributes.modified), at(10));
    assert!(after.attributes.changed >= after.attributes.modified);
    // The same again, or older and smaller news.
    let late = UpdateWritten {
        modified: at(5),
        ..written(&file, 50)
    };
    let again = update(&user, late).await;
    // Clients saw the writer's times in its replies: telling them later is no change.
    assert_eq!(again, after);
    assert_eq!(after.attributes.changed, after.attributes.modified);
    // Nothing new is no change at all.
    assert_eq!(update(&user, written(&file, 100)).await, again);
    // The end keeps size and times.
    let end = UpdateWritten {
        end: true,
        ..written(&file, 0)
    };
    let ended = update(&user, end).await;
    assert_eq!(ended.writer, SessionId::new(0));
    assert_eq!(ended.attributes, again.attributes);
    assert_eq!(ended.data_version, file.data_version);
}

#[tokio::test]
async fn a_write_after_a_touch_into_the_future_counts() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let future = Timestamp::new(4_000_000_000, 0);
    let touch = SetAttributes {
        modified: Some(sluice_types::SetTime::To(future)),
        ..SetAttributes::default()
    };
    let touched = user.set(file.id, touch).await.unwrap();
    let changed = touched.attributes.changed;
    assert_eq!(touched.attributes.modified, future);
    let later = changed.plus(Duration::from_secs(1));
    let news = UpdateWritten {
        modified: Some(later),
        ..written(&file, 20)
    };
    let after = update(&user, news).await;
    assert_eq!(after.attributes.modified, later);
}

#[tokio::test]
async fn a_write_told_after_another_change_still_ends_a_time_in_the_future() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let set = |modified, mode| SetAttributes {
        modified,
        mode,
        ..SetAttributes::default()
    };
    let future = Some(sluice_types::SetTime::To(Timestamp::new(4_000_000_000, 0)));
    let touched = user.set(file.id, set(future, None)).await.unwrap();
    let write = touched.attributes.changed.plus(Duration::from_nanos(1));
    let mode = Some(sluice_types::Mode::new(0o600));
    let changed = user.set(file.id, set(None, mode)).await.unwrap();
    assert!(changed.attributes.changed >= write);
    let news = UpdateWritten {
        modified: Some(write),
        ..written(&file, 10)
    };
    let after = update(&user, news).await;
    assert_eq!(after.attributes.modified, write);
    assert_eq!(after.attributes.changed, changed.attributes.changed);
}

#[tokio::test]
async fn what_a_lost_gateway_wrote_is_seen_as_a_change() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let other = fixture.user(0, 0).with_session(2);
    let correction = |of: &Inode| UpdateWritten {
        used_bytes: Some(8192),
        modified: None,
        end: true,
        ..written(of, 5000)
    };
    let refused = update(&other, correction(&file)).await;
    assert_eq!(refused, file, "only the writer tells");
    fixture.root().end_session(1).await;
    fixture.clock.advance(Duration::from_secs(1));
    let other = other.with_session(2);
    let taken = other.run(BeginWrite { inode: file.id }).await.unwrap();
    let corrected = update(&other, correction(&taken)).await;
    assert_eq!(corrected.attributes.size_bytes, 5000);
    assert_eq!(corrected.writer, SessionId::new(0));
    assert!(corrected.attributes.modified > file.attributes.modified);
    for (inode, bytes, error) in [
        (ROOT, 1, FsError::Invalid),
        (file.id, u64::MAX, FsError::FileTooLarge),
        (InodeId::new(999).unwrap(), 1, FsError::Stale),
    ] {
        let update = UpdateWritten {
            inode,
            ..written(&file, bytes)
        };
        assert_eq!(other.run(update).await.map(|_| ()), Err(error));
    }
}

#[tokio::test]
async fn a_report_that_comes_twice_does_not_end_the_next_writing() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let end = UpdateWritten {
        end: true,
        ..written(&file, 100)
    };
    assert_eq!(update(&user, end).await.writer, SessionId::new(0));
    // The same session writes again; then the end of the first writing comes once more.
    let begin = BeginWrite { inode: file.id };
    let begun = user.run(begin).await.unwrap();
    assert_eq!(update(&user, end).await, begun);
    assert_eq!(user.inode(file.id).await.unwrap(), begun);
    let end = UpdateWritten {
        end: true,
        ..written(&begun, 200)
    };
    let ended = update(&user, end).await;
    assert_eq!(ended.writer, SessionId::new(0));
    assert_eq!(ended.attributes.size_bytes, 200);
}

#[tokio::test]
async fn a_report_that_comes_twice_does_not_undo_a_time_set_after_it() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let end = UpdateWritten {
        modified: Some(file.attributes.changed.plus(Duration::from_secs(1))),
        end: true,
        ..written(&file, 100)
    };
    update(&user, end).await;
    let old = SetAttributes {
        modified: Some(SetTime::To(Timestamp::default())),
        ..SetAttributes::default()
    };
    let set = user.set(file.id, old).await.unwrap();
    assert_eq!(update(&user, end).await, set);
    assert_eq!(user.inode(file.id).await.unwrap(), set);
}

#[tokio::test]
async fn a_report_that_comes_twice_does_not_undo_a_truncation() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let report = UpdateWritten {
        modified: Some(file.attributes.changed.plus(Duration::from_secs(1))),
        ..written(&file, 1 << 20)
    };
    update(&user, report).await;
    let cut = SetAttributes {
        size_bytes: Some(0),
        ..SetAttributes::default()
    };
    let cut = user.set(file.id, cut).await.unwrap();
    assert_eq!(update(&user, report).await, cut);
    assert_eq!(user.inode(file.id).await.unwrap().attributes.size_bytes, 0);
}

#[tokio::test]
async fn a_truncation_that_comes_late_is_refused() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let cut = |data_version| SetInode {
        inode: file.id,
        changes: SetAttributes {
            size_bytes: Some(0),
            ..SetAttributes::default()
        },
        guard: None,
        data_version: Some(data_version),
    };
    let late = cut(file.data_version);
    let begin = BeginWrite { inode: file.id };
    let begun = user.run(begin).await.unwrap();
    assert_eq!(user.run(late.clone()).await, Err(FsError::Busy));
    assert_eq!(user.inode(file.id).await.unwrap(), begun);
    let in_time = cut(begun.data_version);
    let done = user.run(in_time.clone()).await.unwrap().after;
    assert_eq!(done.pending_trim, Some(0));
    assert_eq!(user.run(in_time).await, Err(FsError::Busy), "once");
}

#[tokio::test]
async fn a_truncation_is_pending_until_storage_has_done_it() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let report = UpdateWritten {
        used_bytes: Some(1 << 20),
        ..written(&file, 1 << 20)
    };
    update(&user, report).await;
    let cut = |bytes| SetAttributes {
        size_bytes: Some(bytes),
        ..SetAttributes::default()
    };
    user.set(file.id, cut(5000)).await.unwrap();
    let pending = user.set(file.id, cut(9000)).await.unwrap();
    // While it is being written, more than its recorded size may lie on storage.
    assert_eq!(pending.pending_trim, Some(5000));
    let fixture = fixture.crash().await;
    let user = fixture.user(10, 10);
    let finish = |trimmed_to| FinishTrim {
        inode: file.id,
        data_version: pending.data_version,
        trimmed_to,
        end: false,
    };
    let still = user.run(finish(9000)).await.unwrap();
    assert_eq!(still.pending_trim, Some(5000));
    let done = user.run(finish(5000)).await.unwrap();
    assert_eq!(done.pending_trim, None);
    assert_eq!(done.attributes.size_bytes, 9000);
    assert_eq!(done.attributes.used_bytes, 8192);
    assert_eq!(done.attributes.changed, pending.attributes.changed);
}

#[tokio::test]
async fn a_cut_that_is_told_late_ends_no_newer_truncation() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    let user = fixture.user(10, 10);
    let cut = SetAttributes {
        size_bytes: Some(5000),
        ..SetAttributes::default()
    };
    let first = user.set(file.id, cut).await.unwrap();
    let finish = FinishTrim {
        inode: file.id,
        data_version: first.data_version,
        trimmed_to: 5000,
        end: false,
    };
    assert_eq!(user.run(finish).await.unwrap().pending_trim, None);
    let report = UpdateWritten {
        used_bytes: Some(1 << 20),
        ..written(&first, 1 << 20)
    };
    update(&user, report).await;
    let second = user.set(file.id, cut).await.unwrap();
    assert_eq!(user.run(finish).await.unwrap(), second);
    assert_eq!(second.pending_trim, Some(5000));
}

#[tokio::test]
async fn a_file_being_written_is_cut_even_where_it_seems_to_grow() {
    let fixture = Fixture::new().await;
    let file = open_file(&fixture, "file").await;
    // Its recorded size is 0, but a gateway may have written more.
    let grow = SetAttributes {
        size_bytes: Some(100),
        ..SetAttributes::default()
    };
    let set = fixture.user(10, 10).set(file.id, grow).await.unwrap();
    assert_eq!(set.pending_trim, Some(100));
}

#[tokio::test]
async fn removed_files_wait_for_their_storage_to_be_freed() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let mut files = Vec::new();
    for name in ["b", "a", "c"] {
        fixture.clock.advance(Duration::from_secs(1));
        files.push(open_file(&fixture, name).await);
    }
    root.create(ROOT, "never written", 0o644).await.unwrap();
    for name in ["c", "never written", "b"] {
        fixture.clock.advance(Duration::from_secs(1));
        root.remove(ROOT, name).await.unwrap();
    }
    let fixture = fixture.crash().await;
    let root = fixture.root();
    let listed = root
        .run(ListRemovals {
            after: None,
            limit: 10,
        })
        .await
        .unwrap();
    let inodes: Vec<InodeId> = listed
        .removals
        .iter()
        .map(|removal| removal.inode)
        .collect();
    assert_eq!(inodes, [files[2].id, files[0].id], "the oldest first");
    assert_eq!(listed.removals[0].layout, files[2].layout);
    let first = root
        .run(ListRemovals {
            after: None,
            limit: 1,
        })
        .await
        .unwrap();
    assert_eq!(first.removals, listed.removals[..1]);
    let counts = root.run(FileSystemStatus).await.unwrap();
    assert_eq!((counts.inodes_used, counts.removals_queued), (2, 2));
    fixture.assert_sound().await;
    for left in [1, 1, 0] {
        // Finishing one again, or one that never was, does nothing.
        let inodes = match left {
            1 => vec![files[2].id, InodeId::new(999).unwrap()],
            _ => vec![files[0].id],
        };
        root.run(FinishRemovals { inodes }).await.unwrap();
        let counts = root.run(FileSystemStatus).await.unwrap();
        assert_eq!(counts.removals_queued, left);
    }
    fixture.assert_sound().await;
}

#[tokio::test]
async fn all_inodes_are_listed_in_order() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    for number in 0..10 {
        root.create(ROOT, &format!("{number}"), 0o644)
            .await
            .unwrap();
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let page = root.run(ListInodes { after, limit: 3 }).await.unwrap();
        listed.extend(page.nodes.iter().map(|node| node.id.raw()));
        after = page.nodes.last().map(|node| node.id);
        if page.end {
            break;
        }
    }
    assert_eq!(listed, (1..=11).collect::<Vec<_>>());
}

#[tokio::test]
async fn session_numbers_never_repeat() {
    let fixture = Fixture::new().await;
    let open = |session| OpenSession::new("gateway a").renewing(SessionId::new(session));
    let root = fixture.root();
    let first = root.run(open(0)).await.unwrap().session;
    let second = root.run(open(0)).await.unwrap().session;
    assert!(second > first && first.raw() > 0);
    assert_eq!(root.run(open(first.raw())).await.unwrap().session, first);
    let unknown = root.run(open(second.raw() + 1)).await.map(|_| ());
    assert_eq!(unknown, Err(FsError::SessionLapsed));
    root.end_session(second.raw()).await;
    let fixture = fixture.crash().await;
    let root = fixture.root();
    // Who never stopped keeps its number.
    assert_eq!(root.run(open(first.raw())).await.unwrap().session, first);
    let ended = root.run(open(second.raw())).await.map(|_| ());
    assert_eq!(ended, Err(FsError::SessionLapsed));
    assert!(root.run(open(0)).await.unwrap().session > second);
}
