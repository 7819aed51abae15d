//! Two gateways that answer from memory, as the service sees them.

use std::time::Duration;

use sluice_types::{FsError, Inode, InodeId, LeaseTerm, SessionId};
use sluice_wire::meta::{
    AwaitRecalls, BeginWrite, GetInode, LeaseKind, OpenSession, Recalls, SessionOpened,
    UpdateWritten,
};

use super::support::{Fixture, ROOT, User, mode};

/// A gateway that has a session and gives nothing back by itself.
struct Gateway {
    user: User,
    opened: SessionOpened,
}

impl Gateway {
    async fn open(fixture: &Fixture) -> Self {
        let open = OpenSession {
            holds_leases: true,
            ..OpenSession::new("gateway")
        };
        let mut user = fixture.root();
        let opened = user.run(open).await.unwrap();
        user.context.session = opened.session;
        user.context.lease = true;
        Self { user, opened }
    }

    async fn recalls(&self, acknowledged: u64, synced_term: LeaseTerm) -> Recalls {
        let wait = AwaitRecalls {
            acknowledged,
            synced_term,
        };
        self.user.run(wait).await.unwrap()
    }

    async fn get(&self, inode: InodeId) -> Result<Inode, FsError> {
        self.user.run(GetInode { inode }).await
    }
}

/// Two gateways that know of each other.
async fn two(fixture: &Fixture) -> (Gateway, Gateway) {
    let first = Gateway::open(fixture).await;
    let second = Gateway::open(fixture).await;
    first.recalls(0, second.opened.term).await;
    (first, second)
}

/// Has the gateway give back all read leases from now on.
fn give_back(gateway: &Gateway) -> tokio::task::JoinHandle<()> {
    let (user, synced_term) = (gateway.user.clone(), gateway.opened.term);
    tokio::spawn(async move {
        let mut acknowledged = 0;
        loop {
            let wait = AwaitRecalls {
                acknowledged,
                synced_term,
            };
            acknowledged = user.run(wait).await.unwrap().sequence;
        }
    })
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_change_is_answered_when_the_other_gateway_has_dropped_what_it_keeps() {
    let fixture = Fixture::new().await;
    let (first, second) = two(&fixture).await;
    let file = first.user.create(ROOT, "file", 0o600).await.unwrap();
    second.get(file.id).await.unwrap();
    let changing = tokio::spawn({
        let user = first.user.clone();
        async move { user.set(file.id, mode(0o644)).await }
    });
    let recalls = second.recalls(0, second.opened.term).await;
    assert_eq!(recalls.recalls[0].inode, file.id);
    assert_eq!(recalls.recalls[0].kind, LeaseKind::Read);
    settle().await;
    assert!(!changing.is_finished());
    // Whoever sees the new mode meanwhile is not told of it before the other one has dropped the old.
    let seeing = tokio::spawn({
        let user = fixture.root();
        async move { user.inode(file.id).await }
    });
    settle().await;
    assert!(!seeing.is_finished());
    let end = tokio::spawn({
        let user = second.user.clone();
        let wait = AwaitRecalls {
            acknowledged: recalls.sequence,
            synced_term: second.opened.term,
        };
        async move { user.run(wait).await }
    });
    let changed = changing.await.unwrap().unwrap();
    assert_eq!(seeing.await.unwrap().unwrap(), changed);
    assert!(end.await.unwrap().unwrap().recalls.is_empty());
}

#[tokio::test]
async fn a_name_looked_up_in_vain_is_recalled_when_it_is_made() {
    let fixture = Fixture::new().await;
    let (first, second) = two(&fixture).await;
    let absent = second.user.lookup(ROOT, "file").await;
    assert_eq!(absent, Err(FsError::NotFound));
    let creating = tokio::spawn({
        let user = first.user.clone();
        async move { user.create(ROOT, "file", 0o600).await }
    });
    let recalls = second.recalls(0, second.opened.term).await;
    assert_eq!(recalls.recalls[0].inode, ROOT);
    settle().await;
    assert!(!creating.is_finished());
    second.recalls(recalls.sequence, second.opened.term).await;
    creating.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_waited_for_and_ended() {
    let fixture = Fixture::new().await;
    let (first, second) = two(&fixture).await;
    second.get(ROOT).await.unwrap();
    let creating = tokio::spawn({
        let user = first.user.clone();
        async move { user.create(ROOT, "file", 0o600).await }
    });
    settle().await;
    assert!(!creating.is_finished());
    fixture.clock.advance(Duration::from_secs(1 << 31));
    first.recalls(0, second.opened.term).await;
    creating.await.unwrap().unwrap();
    let late = second.user.create(ROOT, "late", 0o600).await;
    assert_eq!(late, Err(FsError::SessionLapsed));
}

#[tokio::test]
async fn a_file_that_another_gateway_writes_is_asked_back() {
    let fixture = Fixture::new().await;
    let (first, second) = two(&fixture).await;
    let file = first.user.create(ROOT, "file", 0o600).await.unwrap();
    let begun = first.user.run(BeginWrite { inode: file.id }).await.unwrap();
    let reading = tokio::spawn({
        let user = second.user.clone();
        async move { user.inode(file.id).await }
    });
    let recalls = first.recalls(0, second.opened.term).await;
    assert_eq!(recalls.recalls[0].kind, LeaseKind::Write);
    settle().await;
    assert!(!reading.is_finished());
    let end = UpdateWritten {
        inode: file.id,
        data_version: begun.data_version,
        size_bytes_min: 77,
        used_bytes: None,
        modified: None,
        end: true,
    };
    // The reader asked for a lease too.
    let giving_back = give_back(&second);
    first.user.run(end).await.unwrap();
    giving_back.abort();
    let read = reading.await.unwrap().unwrap();
    assert_eq!(read.attributes.size_bytes, 77);
    assert_eq!(read.writer, SessionId::new(0));
}

#[tokio::test]
async fn a_file_whose_writer_has_lapsed_is_handed_out_to_be_settled() {
    let fixture = Fixture::new().await;
    let (first, second) = two(&fixture).await;
    let file = first.user.create(ROOT, "file", 0o600).await.unwrap();
    first.user.run(BeginWrite { inode: file.id }).await.unwrap();
    let reading = tokio::spawn({
        let user = second.user.clone();
        async move { user.inode(file.id).await }
    });
    settle().await;
    fixture.root().end_session(first.opened.session.raw()).await;
    let read = reading.await.unwrap().unwrap();
    assert_eq!(read.writer, first.opened.session);
}

#[tokio::test]
async fn after_a_restart_changes_wait_until_others_have_dropped_what_nobody_knows_of() {
    let fixture = Fixture::new().await;
    let (first, second) = two(&fixture).await;
    let fixture = fixture.crash().await;
    let mut user = fixture.root();
    user.context.session = first.opened.session;
    let creating = tokio::spawn(async move { user.create(ROOT, "file", 0o600).await });
    settle().await;
    assert!(!creating.is_finished());
    let mut user = fixture.root();
    user.context.session = second.opened.session;
    let wait = |synced_term| AwaitRecalls {
        acknowledged: 0,
        synced_term,
    };
    let term = user.run(wait(second.opened.term)).await.unwrap().term;
    assert!(term > second.opened.term);
    settle().await;
    assert!(!creating.is_finished());
    user.run(wait(term)).await.unwrap();
    creating.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_change_by_an_administrator_reaches_a_single_gateway() {
    let fixture = Fixture::new().await;
    let gateway = Gateway::open(&fixture).await;
    fixture.root().create(ROOT, "file", 0o600).await.unwrap();
    let recalls = gateway.recalls(0, gateway.opened.term).await;
    assert!(recalls.term > gateway.opened.term);
}
