//! The locks of one file, and what may be done with them: decisions only, no I/O.
//!
//! Invariants: ranges of one owner do not overlap, and those of one kind and one life of the client do not touch (they are
//! one); ranges of different owners overlap only if both are shared; an owner has at most one share.
//!
//! The table remembers which records it changed, so that exactly those are written.

use std::collections::{BTreeMap, BTreeSet};

use sluice_types::{Access, LockRange};
use sluice_wire::meta::{HeldLock, LockClient, LockOwner};

use crate::records::{Held, LockRecord};

#[cfg(test)]
mod tests;

/// The locks of one file.
#[derive(Clone, Debug, Default)]
pub struct LockTable {
    locks: BTreeMap<u64, LockRecord>,
    changed: BTreeSet<u64>,
    /// Clients that lost a record.
    losers: Vec<LockClient>,
    is_given_up: bool,
}

/// A part of a file that an owner has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnRange {
    /// Which bytes.
    pub range: LockRange,
    /// How.
    pub exclusive: bool,
    /// In which life of its client.
    pub client_state: i32,
}

impl LockTable {
    /// The locks that are stored.
    pub fn new(locks: Vec<(u64, LockRecord)>) -> Self {
        Self {
            locks: locks.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The number of locks and shares.
    pub fn len(&self) -> usize {
        self.locks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.locks.is_empty()
    }

    /// All of them.
    pub fn locks(&self) -> impl Iterator<Item = &LockRecord> {
        self.locks.values()
    }

    /// Whether anything changed since it was loaded.
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Says that what was changed is not to be kept.
    pub fn give_up(&mut self) {
        self.is_given_up = true;
    }

    /// Whether what was changed is not to be kept.
    pub fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// Numbers of what changed, with what is there now.
    pub fn changes(&self) -> impl Iterator<Item = (u64, Option<&LockRecord>)> {
        let changed = self.changed.iter();
        changed.map(|number| (*number, self.locks.get(number)))
    }

    /// Clients that lost a record, each once; they may have others left.
    pub fn losers(&self) -> &[LockClient] {
        &self.losers
    }

    /// The first lock of somebody else that is in the way.
    pub fn conflict(&self, wanted: &HeldLock) -> Option<HeldLock> {
        let others = self.locks.values().filter_map(as_lock);
        let in_the_way = others.filter(|held| {
            held.owner != wanted.owner
                && held.range.overlaps(wanted.range)
                && (held.exclusive || wanted.exclusive)
        });
        in_the_way.min_by_key(|held| held.range.first())
    }

    /// Whether the owner has just this already, in this life of its client.
    pub fn holds(&self, wanted: &HeldLock, client_state: i32) -> bool {
        self.locks.values().any(|lock| {
            let Held::Range { range, exclusive } = lock.held else {
                return false;
            };
            lock.owner == wanted.owner
                && lock.client_state == client_state
                && exclusive == wanted.exclusive
                && range.covers(wanted.range)
        })
    }

    /// What the owner has of a range.
    pub fn own_ranges(&self, owner: &LockOwner, of: LockRange) -> Vec<OwnRange> {
        let own = self.own_overlapping(owner, of).into_iter();
        own.filter_map(|(_, own)| {
            let first = own.range.first().max(of.first());
            let last = own.range.last().min(of.last());
            LockRange::from_bounds(first, last).map(|range| OwnRange { range, ..own })
        })
        .collect()
    }

    /// Gives a lock for which nothing is in the way: it takes the place of what the owner had there.
    pub fn lock(&mut self, wanted: &HeldLock, client_state: i32) {
        if self.holds(wanted, client_state) {
            return;
        }
        self.cut(&wanted.owner, wanted.range);
        let mut whole = wanted.range;
        // At most one neighbour on each side: neighbours of one kind are one already.
        let neighbours: Vec<(u64, LockRange)> = self
            .own_touching(&wanted.owner, wanted.range)
            .into_iter()
            .filter(|(_, own)| {
                own.exclusive == wanted.exclusive && own.client_state == client_state
            })
            .map(|(number, own)| (number, own.range))
            .collect();
        for (number, range) in neighbours {
            whole = whole.joined(range);
            self.remove(number);
        }
        self.add(&wanted.owner, whole, wanted.exclusive, client_state);
    }

    /// Releases what the owner has in a range.
    pub fn unlock(&mut self, owner: &LockOwner, range: LockRange) {
        self.cut(owner, range);
    }

    /// The share of somebody else that does not go with this one.
    pub fn share_conflict(&self, owner: &LockOwner, access: Access, deny: Access) -> bool {
        let meets = |one: Access, other: Access| {
            [Access::READ, Access::WRITE]
                .into_iter()
                .any(|kind| one.contains(kind) && other.contains(kind))
        };
        self.locks.values().any(|lock| match lock.held {
            Held::Share {
                access: has,
                deny: denies,
            } => lock.owner != *owner && (meets(has, deny) || meets(denies, access)),
            Held::Range { .. } => false,
        })
    }

    /// Whether the owner has a share.
    pub fn has_share(&self, owner: &LockOwner) -> bool {
        self.locks.values().any(|lock| is_share_of(lock, owner))
    }

    /// Gives a share that goes with all others, in place of the owner's former one.
    pub fn share(&mut self, owner: &LockOwner, access: Access, deny: Access) {
        let held = Held::Share { access, deny };
        let mut own = self.locks.values().filter(|lock| is_share_of(lock, owner));
        if own.any(|lock| lock.held == held) {
            return;
        }
        self.unshare(owner);
        self.insert(LockRecord {
            owner: owner.clone(),
            client_state: 0,
            held,
        });
    }

    /// Releases the owner's share.
    pub fn unshare(&mut self, owner: &LockOwner) {
        self.release(|lock| is_share_of(lock, owner));
    }

    /// Releases all that `is_to_go`; how many that were.
    pub fn release(&mut self, is_to_go: impl Fn(&LockRecord) -> bool) -> u64 {
        let going = self.locks.iter().filter(|(_, lock)| is_to_go(lock));
        let going: Vec<u64> = going.map(|(number, _)| *number).collect();
        for number in &going {
            self.remove(*number);
        }
        going.len() as u64
    }

    /// Takes a range out of what the owner has.
    fn cut(&mut self, owner: &LockOwner, range: LockRange) {
        for (number, own) in self.own_overlapping(owner, range) {
            let (before, behind) = own.range.without(range);
            let mut left = before.into_iter().chain(behind);
            match left.next() {
                None => self.remove(number),
                Some(first) => self.resize(number, first),
            }
            for rest in left {
                self.add(owner, rest, own.exclusive, own.client_state);
            }
        }
    }

    fn own_overlapping(&self, owner: &LockOwner, range: LockRange) -> Vec<(u64, OwnRange)> {
        self.own(owner, |own| own.overlaps(range))
    }

    fn own_touching(&self, owner: &LockOwner, range: LockRange) -> Vec<(u64, OwnRange)> {
        self.own(owner, |own| own.touches(range))
    }

    fn own(&self, owner: &LockOwner, wanted: impl Fn(LockRange) -> bool) -> Vec<(u64, OwnRange)> {
        let own = self.locks.iter().filter(|(_, lock)| lock.owner == *owner);
        let ranges = own.filter_map(|(number, lock)| match lock.held {
            Held::Range { range, exclusive } if wanted(range) => Some((
                *number,
                OwnRange {
                    range,
                    exclusive,
                    client_state: lock.client_state,
                },
            )),
            _ => None,
        });
        ranges.collect()
    }

    fn add(&mut self, owner: &LockOwner, range: LockRange, exclusive: bool, client_state: i32) {
        self.insert(LockRecord {
            owner: owner.clone(),
            client_state,
            held: Held::Range { range, exclusive },
        });
    }

    fn insert(&mut self, lock: LockRecord) {
        let last = self.locks.last_key_value().map(|(number, _)| *number);
        // Not a number that was just freed: its record is still to be deleted.
        let number = last.max(self.changed.last().copied());
        let number = number.map_or(0, |last| last + 1);
        self.locks.insert(number, lock);
        self.changed.insert(number);
    }

    fn resize(&mut self, number: u64, to: LockRange) {
        if let Some(lock) = self.locks.get_mut(&number)
            && let Held::Range { range, .. } = &mut lock.held
        {
            *range = to;
            self.changed.insert(number);
        }
    }

    fn remove(&mut self, number: u64) {
        let Some(lock) = self.locks.remove(&number) else {
            return;
        };
        self.changed.insert(number);
        if !self.losers.contains(&lock.owner.client) {
            self.losers.push(lock.owner.client);
        }
    }
}

fn is_share_of(lock: &LockRecord, owner: &LockOwner) -> bool {
    matches!(lock.held, Held::Share { .. }) && lock.owner == *owner
}

fn as_lock(lock: &LockRecord) -> Option<HeldLock> {
    match lock.held {
        Held::Range { range, exclusive } => Some(HeldLock {
            owner: lock.owner.clone(),
            range,
            exclusive,
        }),
        Held::Share { .. } => None,
    }
}
