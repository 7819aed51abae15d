//! Locks of files: durable, in order, bounded, and gone with their file or client.

use std::time::Duration;

use bytes::Bytes;
use sluice_types::{Access, FsError, InodeId, LockRange};
use sluice_wire::meta::{
    AwaitLockGrants, CancelLock, ClearLocks, FreeLocks, HeldLock, ListLocks, Lock, LockAnswer,
    LockClient, LockGrant, LockGrantEnd, LockOwner, LockStatus, LockWait, Share, TestLock, Unlock,
    Unshare,
};

use super::support::{Fixture, ROOT, User};
use crate::file_locks::LOCKS_PER_FILE_MAX;

fn client(name: &str, last: u8) -> LockClient {
    LockClient {
        name: Bytes::copy_from_slice(name.as_bytes()),
        address: [10, 0, 0, last].into(),
    }
}

/// A process of a machine: `(1, 7)` is process 7 of host-1.
fn owner((host, process): (u8, i32)) -> LockOwner {
    LockOwner {
        client: client(&format!("host-{host}"), host),
        process,
        handle: Bytes::from(format!("{process}@host-{host}")),
    }
}

fn held(of: (u8, i32), first: u64, length: u64, exclusive: bool) -> HeldLock {
    HeldLock {
        owner: owner(of),
        range: LockRange::new(first, length).unwrap(),
        exclusive,
    }
}

fn whole(of: (u8, i32)) -> HeldLock {
    held(of, 0, 0, true)
}

impl User {
    async fn lock(&self, inode: InodeId, lock: HeldLock, wait: LockWait) -> LockAnswer {
        self.try_lock(inode, lock, wait, 1).await.unwrap()
    }

    async fn try_lock(
        &self,
        inode: InodeId,
        lock: HeldLock,
        wait: LockWait,
        client_state: i32,
    ) -> Result<LockAnswer, FsError> {
        let note = Bytes::from_static(b"note");
        let lock = Lock {
            inode,
            lock,
            wait,
            client_state,
            note,
        };
        Ok(self.run(lock).await?.answer)
    }

    async fn unlock(&self, inode: InodeId, lock: HeldLock) -> LockAnswer {
        let (owner, range) = (lock.owner, lock.range);
        let unlock = Unlock {
            inode,
            owner,
            range,
        };
        self.run(unlock).await.unwrap().answer
    }

    async fn holder(&self, inode: InodeId, lock: HeldLock) -> Option<HeldLock> {
        self.run(TestLock { inode, lock }).await.unwrap().holder
    }

    async fn grants(&self, ended: &[(u64, bool)]) -> (Vec<LockGrant>, Vec<u64>) {
        let ended = ended.iter();
        let ended = ended.map(|&(grant, accepted)| LockGrantEnd { grant, accepted });
        let ended = ended.collect();
        let grants = self.run(AwaitLockGrants { ended }).await.unwrap();
        (grants.grants, grants.missed)
    }

    async fn locks(&self, of: Option<&str>) -> Vec<LockStatus> {
        let mut locks = Vec::new();
        let mut after = None;
        loop {
            let list = ListLocks {
                inode: None,
                client: of.map(|of| Bytes::copy_from_slice(of.as_bytes())),
                after,
                limit: 2,
            };
            let page = self.run(list).await.unwrap();
            after = page.locks.last().map(|lock| lock.place);
            locks.extend(page.locks);
            if page.end {
                return locks;
            }
        }
    }

    async fn free(&self, client: LockClient, client_state: Option<i32>) -> u64 {
        let free = FreeLocks {
            client,
            client_state,
        };
        self.run(free).await.unwrap().count
    }
}

const NO: LockWait = LockWait::No;
const CALLED: LockWait = LockWait::Called;

async fn start() -> (Fixture, User, InodeId) {
    let fixture = Fixture::new().await;
    let user = fixture.root();
    let file = user.create(ROOT, "file", 0o644).await.unwrap().id;
    (fixture, user, file)
}

#[tokio::test]
async fn locks_outlive_the_service() {
    let (fixture, user, file) = start().await;
    assert_eq!(
        user.lock(file, whole((1, 7)), NO).await,
        LockAnswer::Granted
    );
    let middle = held((1, 7), 10, 10, true);
    assert_eq!(user.unlock(file, middle.clone()).await, LockAnswer::Granted);
    let fixture = fixture.crash().await;
    fixture.assert_sound().await;
    let user = fixture.root();
    let before = user.holder(file, whole((2, 7))).await.unwrap();
    assert_eq!(before, held((1, 7), 0, 10, true));
    assert_eq!(user.holder(file, held((2, 7), 10, 10, true)).await, None);
    // Asked again, it is granted again; and nobody else gets it.
    let again = held((1, 7), 20, 0, true);
    assert_eq!(
        user.lock(file, again.clone(), NO).await,
        LockAnswer::Granted
    );
    let others = held((2, 7), 1 << 40, 1, false);
    assert_eq!(user.lock(file, others, NO).await, LockAnswer::Denied);
    assert_eq!(user.locks(None).await.len(), 2);
}

/// No answer shows a lock that a power cut could take back.
#[tokio::test]
async fn an_answer_waits_for_the_disk() {
    let (fixture, user, file) = start().await;
    fixture.engine.hold_flushes(true);
    let locking = user.clone();
    let locking = tokio::spawn(async move { locking.try_lock(file, whole((1, 7)), NO, 1).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!locking.is_finished());
    let fixture = fixture.crash().await;
    assert_eq!(locking.await.unwrap(), Err(FsError::Unavailable));
    assert!(fixture.root().locks(None).await.is_empty());
    fixture.assert_sound().await;
}

#[tokio::test]
async fn waiters_get_what_is_freed_in_the_order_they_came() {
    let (fixture, user, file) = start().await;
    assert_eq!(
        user.lock(file, whole((1, 1)), NO).await,
        LockAnswer::Granted
    );
    for of in [(2, 1), (3, 1)] {
        assert_eq!(
            user.lock(file, whole(of), CALLED).await,
            LockAnswer::Waiting
        );
    }
    let late = held((4, 1), 0, 1, false);
    assert_eq!(
        user.lock(file, late.clone(), CALLED).await,
        LockAnswer::Waiting
    );
    // Asking again does not lose the place.
    assert_eq!(
        user.lock(file, whole((2, 1)), CALLED).await,
        LockAnswer::Waiting
    );
    for (released, next) in [
        ((1, 1), whole((2, 1))),
        ((2, 1), whole((3, 1))),
        ((3, 1), late),
    ] {
        user.unlock(file, whole(released)).await;
        let (grants, _) = user.grants(&[]).await;
        assert_eq!(grants.len(), 1);
        assert_eq!(
            (&grants[0].lock, &grants[0].note[..]),
            (&next, &b"note"[..])
        );
        // It is held from before anybody is told.
        let holder = user.holder(file, whole((9, 9))).await;
        assert_eq!(holder, Some(next));
        let (_, missed) = user.grants(&[(grants[0].grant, true)]).await;
        assert!(missed.is_empty());
    }
    fixture.assert_sound().await;
}

#[tokio::test]
async fn a_grant_that_is_not_accepted_goes_to_the_next() {
    let (fixture, user, file) = start().await;
    user.lock(file, whole((1, 1)), NO).await;
    // The first waiter has a part already, which it keeps.
    let kept = held((2, 1), 0, 10, false);
    user.unlock(file, held((1, 1), 0, 10, true)).await;
    assert_eq!(user.lock(file, kept.clone(), NO).await, LockAnswer::Granted);
    user.lock(file, held((2, 1), 0, 100, true), CALLED).await;
    user.lock(file, held((3, 1), 50, 100, true), CALLED).await;
    user.unlock(file, whole((1, 1))).await;
    let (grants, _) = user.grants(&[]).await;
    assert_eq!(grants[0].lock, held((2, 1), 0, 100, true));
    let (grants, missed) = user.grants(&[(grants[0].grant, false)]).await;
    assert_eq!((grants.len(), missed.len()), (1, 1));
    assert_eq!(grants[0].lock, held((3, 1), 50, 100, true));
    assert_eq!(
        user.holder(file, held((9, 1), 0, 40, true)).await,
        Some(kept)
    );
    // What is over is over, whatever is told of it.
    let (_, missed) = user.grants(&[(missed[0], false)]).await;
    assert!(missed.is_empty());
    fixture.assert_sound().await;
}

#[tokio::test]
async fn who_asks_again_has_what_it_was_given() {
    let (fixture, user, file) = start().await;
    user.lock(file, whole((1, 1)), NO).await;
    user.lock(file, whole((2, 1)), LockWait::Polling).await;
    user.unlock(file, whole((1, 1))).await;
    assert!(user.grants(&[]).await.0.is_empty(), "it asks by itself");
    let answer = user.lock(file, whole((2, 1)), LockWait::Polling).await;
    assert_eq!(answer, LockAnswer::Granted);
    fixture.clock.advance(Duration::from_secs(60));
    user.grants(&[]).await;
    let holder = user.holder(file, whole((3, 1))).await;
    assert_eq!(holder, Some(whole((2, 1))), "it is not taken back any more");
}

#[tokio::test]
async fn a_grant_that_nobody_takes_is_taken_back() {
    let (fixture, user, file) = start().await;
    user.lock(file, whole((1, 1)), NO).await;
    user.lock(file, whole((2, 1)), LockWait::Polling).await;
    user.unlock(file, whole((1, 1))).await;
    assert!(user.holder(file, whole((3, 1))).await.is_some());
    fixture.clock.advance(Duration::from_secs(13));
    user.grants(&[]).await;
    assert_eq!(user.holder(file, whole((3, 1))).await, None);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn waiting_can_be_given_up() {
    let (_fixture, user, file) = start().await;
    let cancel = |lock| CancelLock { inode: file, lock };
    user.lock(file, whole((1, 1)), NO).await;
    user.lock(file, whole((2, 1)), CALLED).await;
    user.lock(file, whole((3, 1)), CALLED).await;
    assert!(user.run(cancel(whole((2, 1)))).await.unwrap().found);
    assert!(!user.run(cancel(whole((2, 1)))).await.unwrap().found);
    user.unlock(file, whole((1, 1))).await;
    let holder = user.holder(file, whole((9, 1))).await;
    assert_eq!(holder, Some(whole((3, 1))));
    // Also when it was just given.
    assert!(user.run(cancel(whole((3, 1)))).await.unwrap().found);
    assert_eq!(user.holder(file, whole((9, 1))).await, None);
    // Who releases what it waits for does not wait any more.
    user.lock(file, whole((1, 1)), NO).await;
    user.lock(file, whole((2, 1)), CALLED).await;
    user.unlock(file, whole((2, 1))).await;
    user.unlock(file, whole((1, 1))).await;
    assert_eq!(user.holder(file, whole((9, 1))).await, None);
}

#[tokio::test]
async fn a_client_that_restarts_loses_what_it_had_before() {
    let (fixture, user, file) = start().await;
    let other_file = user.create(ROOT, "other", 0o644).await.unwrap().id;
    user.lock(file, held((1, 1), 0, 10, true), NO).await;
    user.lock(other_file, whole((1, 2)), NO).await;
    user.lock(file, held((2, 1), 10, 10, true), NO).await;
    let since = held((1, 1), 90, 10, true);
    let answer = user.try_lock(file, since.clone(), NO, 3).await;
    assert_eq!(answer, Ok(LockAnswer::Granted));
    user.lock(other_file, whole((2, 1)), CALLED).await;

    assert_eq!(
        user.free(client("host-1", 9), Some(3)).await,
        0,
        "not its address"
    );
    assert_eq!(
        user.free(client("host-3", 1), Some(3)).await,
        0,
        "not its name"
    );
    let fixture = fixture.crash().await;
    let user = fixture.root();
    user.lock(other_file, whole((2, 1)), CALLED).await;
    let long_name = client("HOST-1.example.org", 1);
    assert_eq!(user.free(long_name.clone(), Some(3)).await, 2);
    assert_eq!(user.free(long_name.clone(), Some(3)).await, 0);
    assert_eq!(user.grants(&[]).await.0[0].lock, whole((2, 1)));
    let holder = user.holder(file, held((9, 1), 30, 0, true)).await;
    assert_eq!(holder, Some(since), "what it took since stays");
    assert_eq!(user.free(long_name, None).await, 1);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn locks_go_with_their_file() {
    let (fixture, user, file) = start().await;
    user.create(ROOT, "renamed", 0o644).await.unwrap();
    let over = user.create(ROOT, "over", 0o644).await.unwrap().id;
    for inode in [file, over] {
        user.lock(inode, whole((1, 1)), NO).await;
        user.lock(inode, whole((2, 1)), CALLED).await;
    }
    user.link(file, ROOT, "second").await.unwrap();
    user.remove(ROOT, "file").await.unwrap();
    assert_eq!(user.locks(None).await.len(), 4, "one name is left");
    user.remove(ROOT, "second").await.unwrap();
    user.rename((ROOT, "renamed"), (ROOT, "over"))
        .await
        .unwrap();
    assert!(user.locks(None).await.is_empty());
    assert_eq!(user.free(client("host-1", 1), None).await, 0);
    let again = user.try_lock(file, whole((1, 1)), NO, 1).await;
    assert_eq!(again, Err(FsError::Stale));
    assert_eq!(user.unlock(file, whole((1, 1))).await, LockAnswer::Granted);
    fixture.assert_sound().await;
}

/// A removal and the first lock of a file at the same time leave no lock behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_removed_meanwhile_keeps_no_lock() {
    let (fixture, user, _) = start().await;
    for round in 0..200 {
        let name = format!("file {round}");
        let file = user.create(ROOT, &name, 0o644).await.unwrap().id;
        let locking = user.clone();
        let locking =
            tokio::spawn(async move { locking.try_lock(file, whole((1, 1)), NO, 1).await });
        user.remove(ROOT, &name).await.unwrap();
        let locked = locking.await.unwrap();
        let expected = [Ok(LockAnswer::Granted), Err(FsError::Stale)];
        assert!(expected.contains(&locked), "{locked:?}");
    }
    assert!(user.locks(None).await.is_empty());
    fixture.assert_sound().await;
}

#[tokio::test]
async fn who_may_not_use_a_file_may_not_lock_it() {
    let (fixture, root, _) = start().await;
    let file = root.create(ROOT, "private", 0o600).await.unwrap().id;
    let stranger = fixture.user(50, 50);
    let denied = stranger.try_lock(file, whole((1, 1)), NO, 1).await;
    assert_eq!(denied, Err(FsError::AccessDenied));
    let denied = root.try_lock(ROOT, whole((1, 1)), NO, 1).await;
    assert_eq!(denied, Err(FsError::Invalid), "a directory");
    let mut long = whole((1, 1));
    long.owner.client.name = vec![b'n'; 256].into();
    let denied = root.try_lock(file, long, NO, 1).await;
    assert_eq!(denied, Err(FsError::NameTooLong));
    let readable = root.create(ROOT, "readable", 0o604).await.unwrap().id;
    let answer = stranger.try_lock(readable, whole((1, 1)), NO, 1).await;
    assert_eq!(answer, Ok(LockAnswer::Granted));
}

#[tokio::test]
async fn locks_of_a_file_are_bounded() {
    let (fixture, user, file) = start().await;
    for number in 0..LOCKS_PER_FILE_MAX as u64 {
        let lock = held((1, 1), number * 10, 5, true);
        assert_eq!(user.lock(file, lock, NO).await, LockAnswer::Granted);
    }
    let more = held((2, 1), 7, 1, true);
    assert_eq!(user.lock(file, more.clone(), NO).await, LockAnswer::TooMany);
    let split = held((1, 1), 2, 1, true);
    assert_eq!(user.unlock(file, split).await, LockAnswer::TooMany);
    assert_eq!(
        user.unlock(file, held((1, 1), 0, 5, true)).await,
        LockAnswer::Granted
    );
    assert_eq!(user.lock(file, more, NO).await, LockAnswer::Granted);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn an_administrator_lists_and_clears() {
    let (fixture, user, file) = start().await;
    let other = user.create(ROOT, "other", 0o644).await.unwrap().id;
    for (inode, first) in [(file, 0), (file, 10), (other, 0)] {
        user.lock(inode, held((1, 1), first, 5, true), NO).await;
        user.lock(inode, held((2, 1), first + 5, 1, true), NO).await;
    }
    user.lock(other, whole((3, 1)), CALLED).await;
    assert_eq!(user.locks(None).await.len(), 7);
    assert_eq!(user.locks(Some("host-2")).await.len(), 3);
    let waiting = user.locks(Some("host-3.example.org")).await;
    assert!(waiting.len() == 1 && waiting[0].waiting);
    let clear = |inode, of: Option<&str>| ClearLocks {
        inode,
        client: of.map(|of| Bytes::copy_from_slice(of.as_bytes())),
    };
    let nobody = fixture.user(50, 50);
    assert_eq!(
        nobody.run(clear(Some(file), None)).await,
        Err(FsError::NotPermitted)
    );
    assert_eq!(user.run(clear(None, None)).await, Err(FsError::Invalid));
    let count = |inode, of| {
        let user = &user;
        async move { user.run(clear(inode, of)).await.unwrap().count }
    };
    assert_eq!(count(Some(file), Some("host-1")).await, 2);
    assert_eq!(count(None, Some("host-2")).await, 3);
    assert_eq!(count(Some(other), None).await, 1);
    let left = user.locks(None).await;
    assert!(left.is_empty(), "{left:?}");
    fixture.assert_sound().await;
}

#[tokio::test]
async fn shares_are_durable_too() {
    let (fixture, user, file) = start().await;
    let share = |of, access, deny| Share {
        inode: file,
        owner: owner(of),
        access,
        deny,
    };
    let (none, read, write) = (Access::NONE, Access::READ, Access::WRITE);
    let answer = user.run(share((1, 1), read, write)).await.unwrap().answer;
    assert_eq!(answer, LockAnswer::Granted);
    let fixture = fixture.crash().await;
    let user = fixture.root();
    let answer = user.run(share((2, 1), write, none)).await.unwrap().answer;
    assert_eq!(answer, LockAnswer::Denied);
    assert_eq!(user.locks(None).await[0].deny, write);
    let owner = owner((1, 1));
    let unshare = Unshare { inode: file, owner };
    assert_eq!(user.run(unshare).await.unwrap().answer, LockAnswer::Granted);
    let answer = user.run(share((2, 1), write, none)).await.unwrap().answer;
    assert_eq!(answer, LockAnswer::Granted);
    fixture.assert_sound().await;
}

/// A gateway that waits is woken by the grant, and does not wait for the next second.
#[tokio::test]
async fn a_waiting_gateway_is_told_at_once() {
    let (_fixture, user, file) = start().await;
    user.lock(file, whole((1, 1)), NO).await;
    user.lock(file, whole((2, 1)), CALLED).await;
    let gateway = user.clone();
    let told = tokio::spawn(async move { gateway.grants(&[]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    user.unlock(file, whole((1, 1))).await;
    let told = tokio::time::timeout(Duration::from_millis(500), told).await;
    assert_eq!(told.unwrap().unwrap().0.len(), 1);
}
