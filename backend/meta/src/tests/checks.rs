//! The check finds what is wrong.

use bytes::Bytes;
use sluice_types::{InodeId, LockRange};
use sluice_wire::meta::{LockClient, LockOwner};

use crate::kv::{Engine, Isolation};
use crate::records::{Held, InodeRecord, LockRecord, encode_number, keys};

use super::support::{Fixture, ROOT};

/// Damages the store behind the service's back.
async fn damage(fixture: &Fixture, damage: impl FnOnce(&mut dyn crate::kv::Transaction)) {
    let mut transaction = fixture.engine.begin(Isolation::Serializable);
    damage(&mut *transaction);
    let point = transaction.commit().await.unwrap();
    fixture.engine.durable(point).await.unwrap();
}

async fn problems(fixture: &Fixture) -> String {
    fixture.service.check().await.unwrap().join("\n")
}

#[tokio::test]
async fn a_new_file_system_is_sound() {
    Fixture::new().await.assert_sound().await;
}

#[tokio::test]
async fn changes_go_on_while_it_looks_at_one_moment() {
    let fixture = Fixture::new().await;
    let changes = async {
        for round in 0..300 {
            let root = fixture.root();
            root.create(ROOT, &format!("file-{round}"), 0o644)
                .await
                .unwrap();
            if round % 3 == 0 {
                root.remove(ROOT, &format!("file-{}", round / 2))
                    .await
                    .unwrap();
            }
        }
    };
    let checks = async {
        let mut checks = 0;
        loop {
            assert_eq!(problems(&fixture).await, "");
            checks += 1;
            if fixture.root().lookup(ROOT, "file-299").await.is_ok() {
                return checks;
            }
        }
    };
    let ((), checks) = tokio::join!(changes, checks);
    assert!(checks > 2, "{checks} checks beside the changes");
}

#[tokio::test]
async fn a_lost_inode_is_found() {
    let fixture = Fixture::new().await;
    let file = fixture.root().create(ROOT, "file", 0o644).await.unwrap();
    damage(&fixture, |transaction| {
        transaction.delete(keys::inode(file.id));
    })
    .await;
    let found = problems(&fixture).await;
    assert!(
        found.contains("entry file of 1 leads to 2, which is not there"),
        "{found}"
    );
    assert!(
        found.contains("1 inodes are there, 2 are counted"),
        "{found}"
    );
}

#[tokio::test]
async fn an_inode_without_a_name_is_found() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = root.create(ROOT, "file", 0o644).await.unwrap();
    let cookie = root.list(ROOT, 0, 1).await.unwrap().entries[0].cookie;
    damage(&fixture, |transaction| {
        transaction.delete(keys::entry(ROOT, cookie));
    })
    .await;
    let found = problems(&fixture).await;
    assert!(
        found.contains(&format!("inode {} has 0 names", file.id)),
        "{found}"
    );
    assert!(
        found.contains("inode 1 has 0 entries, and tells 1"),
        "{found}"
    );
}

#[tokio::test]
async fn wrong_link_counts_and_parents_are_found() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let one = root.mkdir(ROOT, "one", 0o755).await.unwrap();
    let other = root.mkdir(ROOT, "other", 0o755).await.unwrap();
    let mut record = InodeRecord {
        node: one.clone(),
        entry_count: 0,
        create_verifier: None,
    };
    record.node.parent = other.id;
    record.node.attributes.link_count = 5;
    damage(&fixture, |transaction| {
        transaction.put(keys::inode(one.id), record.encode());
    })
    .await;
    let found = problems(&fixture).await;
    assert!(
        found.contains("directory 2 is in 1, but its parent is told to be 3"),
        "{found}"
    );
    assert!(
        found.contains("inode 2 has a link count of 5, and 2 would be right"),
        "{found}"
    );
}

#[tokio::test]
async fn a_misplaced_entry_and_a_broken_removal_are_found() {
    let fixture = Fixture::new().await;
    let root = fixture.root();
    let file = root.create(ROOT, "file", 0o644).await.unwrap();
    let entry = root.list(ROOT, 0, 1).await.unwrap().entries.remove(0);
    damage(&fixture, |transaction| {
        let record = crate::records::EntryRecord::Entry(crate::records::Entry {
            inode: file.id,
            name: entry.name.clone(),
        });
        let elsewhere = sluice_types::Cookie::new(entry.cookie.raw() ^ 0x100);
        transaction.delete(keys::entry(ROOT, entry.cookie));
        transaction.put(keys::entry(ROOT, elsewhere), record.encode());
        transaction.put(keys::removal(5, file.id), {
            let layout = file.layout;
            crate::records::RemovalRecord { layout }.encode()
        });
        transaction.put(keys::next_inode(), encode_number(9));
    })
    .await;
    let found = problems(&fixture).await;
    assert!(
        found.contains("entry file of 1 cannot be found by its name"),
        "{found}"
    );
    assert!(
        found.contains("inode 2 is there, and queued as removed"),
        "{found}"
    );
    assert!(
        found.contains("the removal of 2 cannot be finished"),
        "{found}"
    );
    assert!(
        found.contains("1 removals are queued, 0 are counted"),
        "{found}"
    );
}

#[tokio::test]
async fn locks_that_belong_to_nothing() {
    let fixture = Fixture::new().await;
    let gone = InodeId::new(999).unwrap();
    let lock = LockRecord {
        owner: LockOwner {
            client: LockClient {
                name: Bytes::from_static(b"host"),
                address: [10, 0, 0, 1].into(),
            },
            process: 1,
            handle: Bytes::new(),
        },
        client_state: 1,
        held: Held::Range {
            range: LockRange::WHOLE,
            exclusive: true,
        },
    };
    damage(&fixture, |store| {
        store.put(keys::lock(gone, 0), lock.encode());
        store.put(keys::client_lock(5, ROOT), Bytes::from_static(b"1"));
    })
    .await;
    let problems = problems(&fixture).await;
    for problem in [
        "a lock is left of inode 999",
        "a lock of inode 999 is not noted of its client",
        "a client is noted with inode 1, and has no lock",
    ] {
        assert!(problems.contains(problem), "{problems}");
    }
}
