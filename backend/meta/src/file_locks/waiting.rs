//! Who waits for locks, and whose waiting is over but who was not told yet: in memory, decisions only.
//!
//! A waiter is queued with its file, first come, first served. When its lock can be had it is given, durably, and the
//! waiter becomes a *grant*: the lock is held, and its owner is to be told by a gateway. A grant ends when the owner took it
//! (it said so to the gateway, or asked again), or is taken back: when the owner said no, or cannot be told in
//! [`GRANT_LIFE`]. An owner that asks again by itself instead of being told has to do so in [`POLL_WAIT`].
//!
//! A gateway that was given a grant may die when the owner has taken it and before it said so. Asked a second time, the owner
//! says no, for it does not wait any more: so nothing that is said after a second giving takes a grant back, nor does a
//! gateway's silence. Owners that did not take it ask again by themselves, or release it.
//!
//! Bounds: [`WAITERS_MAX`] waiters and grants in all, [`WAITERS_PER_FILE_MAX`] of a file, [`WAITERS_PER_CLIENT_MAX`] of a
//! client. With names and handles of the greatest length that is 64 MiB; usually a waiter has some 200 bytes.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use sluice_types::{InodeId, LockRange, SessionId};
use sluice_wire::meta::{HeldLock, LockClient, LockGrant, LockOwner};

use super::table::{LockTable, OwnRange};
use crate::kv::CommitPoint;

#[cfg(test)]
mod tests;

/// At most so many waiters and grants.
pub const WAITERS_MAX: usize = 16_384;

/// At most so many waiters of a file.
pub const WAITERS_PER_FILE_MAX: usize = 1024;

/// At most so many waiters and grants of a client.
pub const WAITERS_PER_CLIENT_MAX: usize = 1024;

/// How long a grant is kept for the session through which the lock was asked for.
pub const FETCH_WAIT: Duration = Duration::from_secs(1);

/// How long a gateway that was given a grant may take to say what became of it; then it is given to another one too.
pub const TELL_WAIT: Duration = Duration::from_secs(20);

/// How long a grant is kept at most until its owner took it.
pub const GRANT_LIFE: Duration = Duration::from_secs(40);

/// How often an owner that cannot be told has to ask.
pub const POLL_WAIT: Duration = Duration::from_secs(12);

/// Somebody who waits for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// The lock.
    pub lock: HeldLock,
    /// The life of the client in which it was asked for.
    pub client_state: i32,
    /// Through which session it was asked for last.
    pub session: SessionId,
    /// What came with the asking.
    pub note: Bytes,
    /// Whether the owner asks again by itself, and cannot be told.
    pub polling: bool,
    /// When it was asked for last.
    pub asked_at: Duration,
}

/// A lock that was given to a waiter, who is to be told.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The file.
    pub inode: InodeId,
    /// Who waited.
    pub waiter: Waiter,
    /// What the owner had there before: what it has again if the grant is taken back.
    pub before: Vec<OwnRange>,
    /// The commit that gave it.
    pub point: CommitPoint,
    granted_at: Duration,
    /// When a gateway was given it last.
    given_at: Option<Duration>,
    /// Whether more than one was.
    given_again: bool,
}

/// A waiter whose lock is given by a transaction that is being made.
#[derive(Clone, Debug)]
pub struct Chosen {
    ticket: u64,
    before: Vec<OwnRange>,
}

/// All who wait.
#[derive(Debug, Default)]
pub struct Waiting {
    queues: HashMap<InodeId, VecDeque<(u64, Waiter)>>,
    grants: BTreeMap<u64, Grant>,
    of_clients: HashMap<LockClient, usize>,
    /// The sum of those.
    total: usize,
    /// Numbers tickets and grants.
    last_number: u64,
}

impl Waiting {
    /// Nobody. Numbers begin behind `number`: not where they did in an earlier life of the service, so that
    /// what a gateway has to say of a grant of then is not taken for one of now.
    pub fn starting_at(number: u64) -> Self {
        Self {
            last_number: number >> 1,
            ..Self::default()
        }
    }

    /// How many wait, or have not been told.
    pub fn len(&self) -> usize {
        self.total
    }

    /// Queues a waiter; one that asked already keeps its place. `false` if there are too many.
    pub fn ask(&mut self, inode: InodeId, waiter: Waiter) -> bool {
        let client = &waiter.lock.owner.client;
        let of_client = self.of_clients.get(client).copied().unwrap_or(0);
        let queue = self.queues.entry(inode).or_default();
        if let Some((_, known)) = queue.iter_mut().find(|(_, of)| of.lock == waiter.lock) {
            *known = waiter;
            return true;
        }
        let is_full = self.total >= WAITERS_MAX
            || of_client >= WAITERS_PER_CLIENT_MAX
            || queue.len() >= WAITERS_PER_FILE_MAX;
        if is_full {
            self.drop_empty(inode);
            return false;
        }
        self.of_clients.insert(client.clone(), of_client + 1);
        self.total += 1;
        self.last_number += 1;
        queue.push_back((self.last_number, waiter));
        true
    }

    /// Gives in `table` what can be had now, in the order of asking. Who should have asked again and did not gets nothing.
    pub fn choose(&self, inode: InodeId, table: &mut LockTable, now: Duration) -> Vec<Chosen> {
        let mut chosen = Vec::new();
        for (ticket, waiter) in self.queues.get(&inode).into_iter().flatten() {
            let lock = &waiter.lock;
            if waiter.is_late(now) || table.conflict(lock).is_some() {
                continue;
            }
            let before = table.own_ranges(&lock.owner, lock.range);
            table.lock(lock, waiter.client_state);
            let ticket = *ticket;
            chosen.push(Chosen { ticket, before });
        }
        chosen
    }

    /// What was chosen is committed: the waiters become grants.
    pub fn granted(
        &mut self,
        inode: InodeId,
        chosen: Vec<Chosen>,
        point: CommitPoint,
        now: Duration,
    ) {
        for Chosen { ticket, before } in chosen {
            let Some(waiter) = self.take_waiter(inode, |of, _| of == ticket) else {
                continue;
            };
            self.last_number += 1;
            let grant = Grant {
                inode,
                waiter,
                before,
                point,
                granted_at: now,
                given_at: None,
                given_again: false,
            };
            self.grants.insert(self.last_number, grant);
        }
    }

    /// The owner of a grant took it by asking again. Whether there was one.
    pub fn taken(&mut self, inode: InodeId, lock: &HeldLock) -> bool {
        let number = self.grant_of(inode, lock);
        number.and_then(|number| self.end(number)).is_some()
    }

    /// Takes out a waiter. Whether there was one.
    pub fn forget(&mut self, inode: InodeId, lock: &HeldLock) -> bool {
        let waiter = self.take_waiter(inode, |_, waiter| waiter.lock == *lock);
        if let Some(waiter) = &waiter {
            self.count_out(&waiter.lock.owner.client);
        }
        waiter.is_some()
    }

    /// Takes out what an owner waits for, or was given and not told, of just this range.
    pub fn forget_range(&mut self, inode: InodeId, owner: &LockOwner, range: LockRange) {
        for exclusive in [false, true] {
            let lock = HeldLock {
                owner: owner.clone(),
                range,
                exclusive,
            };
            self.forget(inode, &lock);
            self.taken(inode, &lock);
        }
    }

    /// The number of the grant of a lock.
    pub fn grant_of(&self, inode: InodeId, lock: &HeldLock) -> Option<u64> {
        let mut grants = self.grants.iter();
        let found = grants.find(|(_, grant)| grant.inode == inode && grant.waiter.lock == *lock);
        found.map(|(number, _)| *number)
    }

    /// The file of a grant.
    pub fn file_of_grant(&self, number: u64) -> Option<InodeId> {
        self.grants.get(&number).map(|grant| grant.inode)
    }

    /// A gateway says that the owner did not take a grant. Whether it is to be taken back; if not, it is ended.
    pub fn is_refused(&mut self, number: u64) -> bool {
        let is_certain = self.grants.get(&number).map(|grant| !grant.given_again);
        if is_certain == Some(false) {
            self.end(number);
        }
        is_certain == Some(true)
    }

    /// Ends a grant.
    pub fn end(&mut self, number: u64) -> Option<Grant> {
        let grant = self.grants.remove(&number)?;
        self.count_out(&grant.waiter.lock.owner.client);
        Some(grant)
    }

    /// Grants for a session to tell of, each with the commit that gave it.
    pub fn fetch(&mut self, session: SessionId, now: Duration) -> Vec<(LockGrant, CommitPoint)> {
        let mut fetched = Vec::new();
        for (number, grant) in &mut self.grants {
            let is_due = match grant.given_at {
                Some(given_at) => now >= given_at + TELL_WAIT,
                None => grant.waiter.session == session || now >= grant.granted_at + FETCH_WAIT,
            };
            if grant.waiter.polling || !is_due {
                continue;
            }
            grant.given_again = grant.given_at.is_some();
            grant.given_at = Some(now);
            let told = LockGrant {
                grant: *number,
                inode: grant.inode,
                lock: grant.waiter.lock.clone(),
                note: grant.waiter.note.clone(),
            };
            fetched.push((told, grant.point));
        }
        fetched
    }

    /// Grants that nobody took in time, and whose owners were not told: they are to be taken back. The others are ended.
    pub fn overdue(&mut self, now: Duration) -> Vec<u64> {
        let overdue = self.grants.iter().filter(|(_, grant)| {
            let life = match grant.waiter.polling {
                true => POLL_WAIT,
                false => GRANT_LIFE,
            };
            now >= grant.granted_at + life
        });
        let (told, untold): (Vec<_>, Vec<_>) =
            overdue.partition(|(_, grant)| grant.given_at.is_some());
        let untold = untold.into_iter().map(|(number, _)| *number).collect();
        for number in told
            .into_iter()
            .map(|(number, _)| *number)
            .collect::<Vec<_>>()
        {
            self.end(number);
        }
        untold
    }

    /// Forgets waiters and grants that `is_to_go`; and waiters who should have asked again and did not.
    pub fn forget_all(&mut self, now: Duration, is_to_go: impl Fn(InodeId, &Waiter) -> bool) {
        let grants = self.grants.iter();
        let going = grants.filter(|(_, grant)| is_to_go(grant.inode, &grant.waiter));
        for number in going.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.end(number);
        }
        let mut gone = Vec::new();
        for (inode, queue) in &mut self.queues {
            queue.retain(|(_, waiter)| {
                let goes = waiter.is_late(now) || is_to_go(*inode, waiter);
                if goes {
                    gone.push(waiter.lock.owner.client.clone());
                }
                !goes
            });
        }
        self.queues.retain(|_, queue| !queue.is_empty());
        for client in gone {
            self.count_out(&client);
        }
    }

    /// All who wait, and for which file.
    pub fn waiters(&self) -> impl Iterator<Item = (InodeId, u64, &Waiter)> {
        let queues = self.queues.iter();
        queues.flat_map(|(inode, queue)| {
            let waiters = queue.iter();
            waiters.map(|(ticket, waiter)| (*inode, *ticket, waiter))
        })
    }

    fn take_waiter(
        &mut self,
        inode: InodeId,
        is_it: impl Fn(u64, &Waiter) -> bool,
    ) -> Option<Waiter> {
        let queue = self.queues.get_mut(&inode)?;
        let position = queue.iter().position(|(of, waiter)| is_it(*of, waiter))?;
        let (_, waiter) = queue.remove(position)?;
        self.drop_empty(inode);
        Some(waiter)
    }

    fn drop_empty(&mut self, inode: InodeId) {
        if self.queues.get(&inode).is_some_and(VecDeque::is_empty) {
            self.queues.remove(&inode);
        }
    }

    fn count_out(&mut self, client: &LockClient) {
        if let Some(count) = self.of_clients.get_mut(client) {
            *count -= 1;
            self.total -= 1;
            if *count == 0 {
                self.of_clients.remove(client);
            }
        }
    }
}

impl Waiter {
    /// Whether it should have asked again and did not.
    fn is_late(&self, now: Duration) -> bool {
        self.polling && now >= self.asked_at + POLL_WAIT
    }
}
