use super::*;

fn inode(number: u64) -> InodeId {
    InodeId::new(number).unwrap()
}

fn session(number: u64) -> SessionId {
    SessionId::new(number)
}

const A: u64 = 1;
const B: u64 = 2;

fn told(leases: &Leases, to: u64) -> (u64, Vec<(u64, LeaseKind)>) {
    let (sequence, recalls) = leases.outbox(session(to)).told().unwrap_or_default();
    let recalls = recalls
        .iter()
        .map(|recall| (recall.inode.raw(), recall.kind));
    (sequence, recalls.collect())
}

#[tokio::test]
async fn a_change_is_over_when_others_have_given_their_leases_back() {
    let leases = Leases::default();
    leases.grant(session(A), inode(7));
    leases.grant(session(B), inode(7));
    leases.grant(session(B), inode(8));
    let change = leases.begin_change(&[inode(7)]);
    let sent = change.recall(session(A));
    assert_eq!(sent.len(), 1, "not the changer's own");
    assert_eq!(told(&leases, B), (1, vec![(7, LeaseKind::Read)]));
    // Another change of the same inode waits for the same.
    let again = leases.begin_change(&[inode(7)]).recall(session(A));
    assert_eq!(again[0].sequence, sent[0].sequence);
    leases.acknowledge(session(B), 1);
    sent[0].outbox.acknowledged(sent[0].sequence).await;
    drop(change);
    leases.unmarked(&[inode(7)]).await;
    assert!(
        leases
            .begin_change(&[inode(7)])
            .recall(session(A))
            .is_empty()
    );
    assert_eq!(leases.count(), 2);
}

#[test]
fn a_lease_granted_anew_outlives_the_acknowledgement_of_an_older_recall() {
    let leases = Leases::default();
    leases.grant(session(B), inode(7));
    assert_eq!(leases.recall_reads(inode(7), session(A)).len(), 1);
    leases.grant(session(B), inode(7));
    leases.acknowledge(session(B), 1);
    let sent = leases.recall_reads(inode(7), session(A));
    assert_eq!(sent[0].sequence, 2);
}

#[tokio::test]
async fn who_sees_a_marked_inode_waits_until_the_last_change_of_it_is_over() {
    let leases = Arc::new(Leases::default());
    let first = leases.begin_change(&[inode(7), inode(7), inode(300)]);
    let second = leases.begin_change(&[inode(7)]);
    let seeing = Arc::clone(&leases);
    let seen = tokio::spawn(async move { seeing.unmarked(&[inode(5), inode(7)]).await });
    tokio::task::yield_now().await;
    drop(first);
    tokio::task::yield_now().await;
    assert!(!seen.is_finished());
    drop(second);
    seen.await.unwrap();
}

#[test]
fn a_write_lease_is_recalled_once_until_that_was_heard() {
    let leases = Leases::default();
    leases.recall_write(session(A), inode(7));
    leases.recall_write(session(A), inode(7));
    assert_eq!(told(&leases, A), (1, vec![(7, LeaseKind::Write)]));
    leases.acknowledge(session(A), 1);
    leases.recall_write(session(A), inode(7));
    assert_eq!(told(&leases, A), (2, vec![(7, LeaseKind::Write)]));
}

#[test]
fn leases_are_bounded_and_go_with_their_session() {
    let leases = Leases::default();
    for number in 1..=LEASES_PER_SESSION_MAX as u64 + 3 {
        leases.grant(session(A), inode(number));
    }
    let (sequence, recalls) = told(&leases, A);
    let oldest: Vec<u64> = recalls.iter().map(|(inode, _)| *inode).collect();
    assert_eq!(oldest, [1, 2, 3]);
    leases.acknowledge(session(A), sequence);
    assert_eq!(leases.count(), LEASES_PER_SESSION_MAX);
    leases.grant(session(B), inode(9));
    leases.forget(|ended| ended == session(A));
    assert_eq!(leases.count(), 1);
}

#[test]
fn recalls_are_told_in_pages_and_again_until_they_are_acknowledged() {
    let leases = Leases::default();
    let count = RECALLS_MAX as u64 + 10;
    for number in 1..=count {
        leases.grant(session(B), inode(number));
        let _ = leases.recall_reads(inode(number), session(A));
    }
    let (first, page) = told(&leases, B);
    assert_eq!((first, page.len()), (RECALLS_MAX as u64, RECALLS_MAX));
    assert_eq!(told(&leases, B).0, first);
    leases.acknowledge(session(B), first);
    assert_eq!(told(&leases, B).0, count);
}
