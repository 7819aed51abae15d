//! Times and bounds of waiting.

use super::*;

const HOME: SessionId = SessionId::new(1);
const OTHER: SessionId = SessionId::new(2);

fn file(number: u64) -> InodeId {
    InodeId::new(number + 1).unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn waiter(process: i32, name: &'static str) -> Waiter {
    Waiter {
        lock: HeldLock {
            owner: LockOwner {
                client: LockClient {
                    name: Bytes::from_static(name.as_bytes()),
                    address: [10, 0, 0, 1].into(),
                },
                process,
                handle: Bytes::new(),
            },
            range: LockRange::WHOLE,
            exclusive: true,
        },
        client_state: 1,
        session: HOME,
        note: Bytes::from_static(b"note"),
        polling: false,
        asked_at: seconds(100),
    }
}

/// One waiter, granted at 100 s.
fn granted(waiter: &Waiter) -> (Waiting, u64) {
    let mut waiting = Waiting::starting_at(7);
    assert!(waiting.ask(file(1), waiter.clone()));
    let chosen = waiting.choose(file(1), &mut LockTable::default(), seconds(100));
    waiting.granted(file(1), chosen, CommitPoint::START, seconds(100));
    let number = waiting.grant_of(file(1), &waiter.lock).unwrap();
    (waiting, number)
}

fn fetched(waiting: &mut Waiting, session: SessionId, at: Duration) -> usize {
    waiting.fetch(session, at).len()
}

#[test]
fn the_session_that_asked_comes_first_and_then_anybody() {
    let (mut waiting, number) = granted(&waiter(1, "a"));
    assert_eq!(fetched(&mut waiting, OTHER, seconds(100)), 0);
    assert_eq!(fetched(&mut waiting, HOME, seconds(100)), 1);
    assert_eq!(fetched(&mut waiting, HOME, seconds(101)), 0, "given once");
    assert_eq!(fetched(&mut waiting, OTHER, seconds(101)), 0);
    // Nothing is told of it: whoever has it may be gone.
    assert_eq!(fetched(&mut waiting, OTHER, seconds(100) + TELL_WAIT), 1);
    assert!(waiting.end(number).is_some());
    assert_eq!(waiting.len(), 0);

    let (mut waiting, _) = granted(&waiter(1, "a"));
    assert_eq!(fetched(&mut waiting, OTHER, seconds(100) + FETCH_WAIT), 1);
}

#[test]
fn a_grant_does_not_live_for_ever() {
    let (mut waiting, number) = granted(&waiter(1, "a"));
    assert_eq!(waiting.overdue(seconds(139)), []);
    assert_eq!(waiting.overdue(seconds(100) + GRANT_LIFE), [number]);
    let mut polling = waiter(1, "a");
    polling.polling = true;
    let (mut waiting, number) = granted(&polling);
    assert_eq!(
        fetched(&mut waiting, HOME, seconds(105)),
        0,
        "cannot be told"
    );
    assert_eq!(waiting.overdue(seconds(100) + POLL_WAIT), [number]);
}

/// Its owner may have it, and only the gateway's word of that be lost.
#[test]
fn a_grant_that_an_owner_may_have_taken_is_not_taken_back() {
    let (mut waiting, number) = granted(&waiter(1, "a"));
    assert_eq!(fetched(&mut waiting, HOME, seconds(100)), 1);
    assert!(
        waiting.is_refused(number),
        "the first to be asked is certain"
    );
    assert_eq!(fetched(&mut waiting, OTHER, seconds(100) + TELL_WAIT), 1);
    assert!(!waiting.is_refused(number));
    assert_eq!(waiting.len(), 0);

    let (mut waiting, _) = granted(&waiter(1, "a"));
    assert_eq!(fetched(&mut waiting, HOME, seconds(100)), 1);
    assert_eq!(waiting.overdue(seconds(100) + GRANT_LIFE), []);
    assert_eq!(waiting.len(), 0);
}

#[test]
fn who_does_not_ask_again_as_it_should_gets_nothing() {
    let mut waiting = Waiting::starting_at(0);
    let mut polling = waiter(1, "a");
    polling.polling = true;
    assert!(waiting.ask(file(1), polling.clone()));
    let late = seconds(100) + POLL_WAIT;
    let chosen =
        |waiting: &Waiting, at| waiting.choose(file(1), &mut LockTable::default(), at).len();
    assert_eq!(chosen(&waiting, late), 0);
    polling.asked_at = seconds(105);
    assert!(waiting.ask(file(1), polling));
    assert_eq!(waiting.len(), 1, "it has its place already");
    assert_eq!(chosen(&waiting, late), 1);
    waiting.forget_all(seconds(200), |_, _| false);
    assert_eq!(waiting.len(), 0);
}

#[test]
fn waiters_are_bounded() {
    let mut waiting = Waiting::starting_at(0);
    let names = ["a", "b"];
    let mut asked = 0;
    while waiting.ask(file(asked), waiter(asked as i32, "a")) {
        asked += 1;
    }
    assert_eq!(asked as usize, WAITERS_PER_CLIENT_MAX);
    assert!(waiting.ask(file(1), waiter(1, "b")), "others may");
    waiting.forget_all(Duration::ZERO, |_, waiter| {
        names.contains(&std::str::from_utf8(&waiter.lock.owner.client.name).unwrap())
    });
    assert_eq!((waiting.len(), waiting.queues.len()), (0, 0));
    assert!(waiting.of_clients.is_empty());
}
