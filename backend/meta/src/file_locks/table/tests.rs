//! Against a model that knows of each byte who has it, and how.

use bytes::Bytes;
use sluice_wire::meta::LockClient;

use super::*;
use crate::tests::support::SeededRng;

/// Bytes of the model; the last one stands for all from there to the end.
const BYTES: u64 = 24;

const OWNERS: usize = 4;

fn owner(number: usize) -> LockOwner {
    LockOwner {
        client: LockClient {
            name: Bytes::from_static(b"host"),
            address: [10, 0, 0, 1].into(),
        },
        process: number as i32,
        handle: Bytes::new(),
    }
}

fn range(first: u64, last: u64) -> LockRange {
    LockRange::from_bounds(first, last).unwrap()
}

fn lock(of: usize, range: LockRange, exclusive: bool) -> HeldLock {
    HeldLock {
        owner: owner(of),
        range,
        exclusive,
    }
}

/// For each byte and owner: nothing, shared or exclusive.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Model([[Option<bool>; OWNERS]; BYTES as usize]);

impl Model {
    fn bytes(&mut self, range: LockRange) -> &mut [[Option<bool>; OWNERS]] {
        let last = range.last().min(BYTES - 1);
        &mut self.0[range.first() as usize..=last as usize]
    }

    fn can_have(&mut self, of: usize, range: LockRange, exclusive: bool) -> bool {
        let free = |byte: &[Option<bool>; OWNERS]| {
            let mut others = byte.iter().enumerate().filter(|(other, _)| *other != of);
            others.all(|(_, held)| held.is_none() || (*held == Some(false) && !exclusive))
        };
        self.bytes(range).iter().all(free)
    }

    fn set(&mut self, of: usize, range: LockRange, to: Option<bool>) {
        for byte in self.bytes(range) {
            byte[of] = to;
        }
    }

    fn of(table: &LockTable) -> Self {
        let mut model = Self::default();
        for held in table.locks.values().filter_map(as_lock) {
            let of = held.owner.process as usize;
            for byte in model.bytes(held.range) {
                assert_eq!(byte[of], None, "ranges of one owner overlap");
                byte[of] = Some(held.exclusive);
            }
        }
        model
    }
}

fn assert_joined(table: &LockTable) {
    let held: Vec<_> = table.locks.values().filter_map(as_lock).collect();
    for (at, one) in held.iter().enumerate() {
        for other in &held[at + 1..] {
            let same = one.owner == other.owner && one.exclusive == other.exclusive;
            assert!(
                !same || !one.range.touches(other.range),
                "{one:?} {other:?}"
            );
        }
    }
}

fn random_range(rng: &SeededRng) -> LockRange {
    let first = rng.below(BYTES);
    let last = match rng.below(4) {
        0 => u64::MAX,
        _ => first + rng.below(BYTES - first),
    };
    // The model's last byte stands for all that follow.
    let last = if last >= BYTES - 1 { u64::MAX } else { last };
    range(first, last)
}

#[test]
fn a_table_does_what_a_map_of_bytes_does() {
    for seed in 0..300 {
        let rng = SeededRng::new(seed);
        let (mut table, mut model) = (LockTable::default(), Model::default());
        let mut stored = BTreeMap::new();
        for step in 0..60 {
            let (of, range) = (rng.below(OWNERS as u64) as usize, random_range(&rng));
            if rng.below(3) == 0 {
                table.unlock(&owner(of), range);
                model.set(of, range, None);
            } else {
                let exclusive = rng.below(2) == 0;
                let wanted = lock(of, range, exclusive);
                let can_have = model.can_have(of, range, exclusive);
                assert_eq!(table.conflict(&wanted).is_none(), can_have, "{seed}/{step}");
                if can_have {
                    table.lock(&wanted, 3);
                    model.set(of, range, Some(exclusive));
                    assert!(table.holds(&wanted, 3));
                }
            }
            assert_eq!(Model::of(&table), model, "seed {seed}, step {step}");
            assert_joined(&table);
            // What is said to have changed is all that has.
            for (number, lock) in table.changes() {
                match lock {
                    Some(lock) => stored.insert(number, lock.clone()),
                    None => stored.remove(&number),
                };
            }
            assert_eq!(stored, table.locks, "seed {seed}, step {step}");
            table = LockTable::new(stored.clone().into_iter().collect());
        }
    }
}

#[test]
fn the_first_in_the_way_is_named() {
    let mut table = LockTable::default();
    table.lock(&lock(1, range(20, 29), false), 0);
    table.lock(&lock(2, range(10, 19), true), 0);
    let wanted = lock(0, range(0, u64::MAX), true);
    assert_eq!(table.conflict(&wanted), Some(lock(2, range(10, 19), true)));
    let shared = lock(0, range(20, 21), false);
    assert_eq!(table.conflict(&shared), None);
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let mut table = LockTable::default();
    table.lock(&lock(1, range(0, 9), true), 5);
    let mut table = LockTable::new(table.locks.into_iter().collect());
    table.lock(&lock(1, range(3, 4), true), 5);
    table.unlock(&owner(1), range(10, 20));
    table.unlock(&owner(2), range(0, 20));
    table.unshare(&owner(1));
    assert!(!table.is_changed());
}

/// What a client had before it restarted is not taken for what it took since.
#[test]
fn lives_of_a_client_are_kept_apart() {
    let mut table = LockTable::default();
    table.lock(&lock(1, range(0, 9), true), 5);
    table.lock(&lock(1, range(5, 14), true), 7);
    assert_eq!(table.len(), 2);
    assert!(!table.holds(&lock(1, range(0, 4), true), 7));
    assert_eq!(table.release(|lock| lock.client_state != 7), 1);
    assert!(table.holds(&lock(1, range(5, 14), true), 7));
    assert_eq!(table.conflict(&lock(2, range(0, 4), true)), None);
}

#[test]
fn shares_meet_only_where_one_denies_what_the_other_does() {
    let (none, read, write) = (Access::NONE, Access::READ, Access::WRITE);
    let mut table = LockTable::default();
    table.share(&owner(1), read, write);
    assert!(!table.share_conflict(&owner(2), read, none));
    assert!(
        table.share_conflict(&owner(2), write, none),
        "writes are denied"
    );
    assert!(table.share_conflict(&owner(2), none, read), "it reads");
    assert!(!table.share_conflict(&owner(1), write, read), "its own");
    table.share(&owner(1), read, none);
    assert_eq!(table.len(), 1);
    assert!(!table.share_conflict(&owner(2), write, none));
    table.lock(&lock(2, LockRange::WHOLE, true), 0);
    table.unshare(&owner(1));
    assert_eq!(table.len(), 1, "locks and shares do not touch each other");
}

#[test]
fn what_an_owner_has_of_a_range_is_cut_to_it() {
    let mut table = LockTable::default();
    table.lock(&lock(1, range(0, 9), false), 5);
    table.lock(&lock(1, range(20, 29), true), 5);
    let own = table.own_ranges(&owner(1), range(5, 24));
    let own: Vec<_> = own.iter().map(|own| (own.range, own.exclusive)).collect();
    assert_eq!(own, [(range(5, 9), false), (range(20, 24), true)]);
}
