//! Sessions and files being written, as administrators see them.

use std::time::Duration;

use sluice_types::{Inode, SessionId, Timestamp};
use sluice_wire::meta::{
    BeginWrite, FindRemoval, FinishRemovals, ListSessions, ListWrites, OpenSession, UpdateWritten,
};

use super::support::{Fixture, ROOT, User};

async fn writes(fixture: &Fixture) -> Vec<(u64, u64, u64)> {
    let list = ListWrites {
        after: None,
        limit: 100,
    };
    let listed = fixture.root().run(list).await.unwrap();
    assert!(listed.end);
    let plain = listed.writes.iter().map(|write| {
        let seconds = write.age_ms / 1000;
        (write.inode.raw(), write.session.raw(), seconds)
    });
    plain.collect()
}

async fn begin(user: &User, name: &str) -> Inode {
    let inode = user.create(ROOT, name, 0o644).await.unwrap().id;
    user.run(BeginWrite { inode }).await.unwrap()
}

fn report(file: &Inode, end: bool) -> UpdateWritten {
    UpdateWritten {
        inode: file.id,
        data_version: file.data_version,
        size_bytes_min: 1,
        used_bytes: None,
        modified: Some(Timestamp::default()),
        end,
    }
}

#[tokio::test]
async fn a_file_is_listed_while_it_is_written() {
    let fixture = Fixture::new().await;
    let (one, other) = (
        fixture.root().with_session(1),
        fixture.root().with_session(2),
    );
    let first = begin(&one, "first").await;
    fixture.clock.advance(Duration::from_secs(10));
    let second = begin(&other, "second").await;
    fixture.clock.advance(Duration::from_secs(5));
    one.run(report(&first, false)).await.unwrap();
    let (a, b) = (first.id.raw(), second.id.raw());
    assert_eq!(writes(&fixture).await, [(a, 1, 15), (b, 2, 5)]);
    // Another gateway takes the file over.
    fixture.root().end_session(1).await;
    let taken = BeginWrite { inode: first.id };
    let taken = other.run(taken).await.unwrap();
    assert_eq!(writes(&fixture).await, [(a, 2, 0), (b, 2, 5)]);
    other.run(report(&taken, true)).await.unwrap();
    assert_eq!(writes(&fixture).await, [(b, 2, 5)]);
    other.remove(ROOT, "second").await.unwrap();
    assert_eq!(writes(&fixture).await, []);
}

#[tokio::test]
async fn a_file_is_listed_again_after_a_restart_once_its_gateway_reports() {
    let fixture = Fixture::new().await;
    let file = begin(&fixture.root(), "file").await;
    let fixture = fixture.crash().await;
    assert_eq!(writes(&fixture).await, []);
    fixture.root().run(report(&file, false)).await.unwrap();
    assert_eq!(writes(&fixture).await, [(file.id.raw(), 1, 0)]);
}

#[tokio::test]
async fn files_being_written_come_in_pages() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let mut made = Vec::new();
    for number in 0..7 {
        made.push(begin(&root, &format!("{number}")).await.id);
    }
    // Rename over a file, which ends its being written: the pages go on beyond it.
    root.create(ROOT, "new", 0o644).await.unwrap();
    root.rename((ROOT, "new"), (ROOT, "3")).await.unwrap();
    made.remove(3);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = root.run(ListWrites { after, limit: 2 }).await.unwrap();
        assert!(page.writes.len() <= 2);
        listed.extend(page.writes.iter().map(|write| write.inode));
        after = listed.last().copied();
        if page.end {
            break;
        }
    }
    assert_eq!(listed, made);
}

#[tokio::test]
async fn sessions_come_in_pages_with_the_time_since_they_were_renewed() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    for number in 1..=3 {
        let open = OpenSession::new(format!("gateway {number}"));
        root.run(open).await.unwrap();
        fixture.clock.advance(Duration::from_secs(1));
    }
    let after = |after| ListSessions {
        after: SessionId::new(after),
        limit: 2,
    };
    let first = root.run(after(2)).await.unwrap();
    assert_eq!((first.sessions.len(), first.end), (2, false));
    assert_eq!(first.sessions[0].name, "gateway 1");
    assert_eq!(first.sessions[0].silent_ms, 3000);
    let last = first.sessions[1].session.raw();
    let second = root.run(after(last)).await.unwrap();
    assert_eq!((second.sessions.len(), second.end), (1, true));
    assert_eq!(second.sessions[0].silent_ms, 1000);
}

#[tokio::test]
async fn a_removal_is_found_until_it_is_finished() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let inode = begin(&root, "file").await.id;
    let queued = async || root.run(FindRemoval { inode }).await.unwrap().queued;
    assert!(!queued().await);
    root.remove(ROOT, "file").await.unwrap();
    assert!(queued().await);
    let inodes = vec![inode];
    root.run(FinishRemovals { inodes }).await.unwrap();
    assert!(!queued().await);
}
