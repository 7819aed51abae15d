//! Power loss and I/O errors at every device operation of a script in turn: the store opens again, what was
//! acknowledged is there, what was not is old or new, and no block is lost.

mod common;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use common::{Seeded, chunk, inode, open, read_all, small_config};
use sluice_store::simulated::{Faults, SimulatedDisk};
use sluice_store::{Store, StoreConfig, StoreError};
use sluice_types::{ChunkId, ChunkIndex, InodeId, Payload, Stability};

const CHUNK_BYTES: usize = 96 * 1024;

/// Values of one byte as a set: bit v set means it may read as v. Data bytes are 1 to 31, so that
/// zero means a hole.
type Values = u32;

const ZERO: Values = 1;

#[derive(Clone, Debug)]
enum Step {
    Write {
        chunk: ChunkId,
        offset: usize,
        data: Vec<u8>,
        stability: Stability,
    },
    Commit(InodeId),
    Truncate {
        inode: InodeId,
        last: u32,
        length: usize,
    },
    Remove(InodeId),
}

/// What each byte may be after a crash, and what it is before.
#[derive(Clone, Debug, Default)]
struct History {
    current: BTreeMap<ChunkId, Vec<u8>>,
    allowed: BTreeMap<ChunkId, Vec<Values>>,
    /// Bytes that a failed step may have set or not.
    uncertain: BTreeMap<ChunkId, HashSet<usize>>,
}

impl History {
    fn chunk(&mut self, chunk: ChunkId) -> (&mut Vec<u8>, &mut Vec<Values>) {
        let current = self
            .current
            .entry(chunk)
            .or_insert_with(|| vec![0; CHUNK_BYTES]);
        let allowed = self
            .allowed
            .entry(chunk)
            .or_insert_with(|| vec![ZERO; CHUNK_BYTES]);
        (current, allowed)
    }

    /// Chunks and ranges that a step sets, and to what (none: zeros).
    fn effects(&self, step: &Step) -> Vec<(ChunkId, usize, Vec<u8>)> {
        let zeros = |from: usize| vec![0; CHUNK_BYTES - from];
        match step {
            Step::Write {
                chunk,
                offset,
                data,
                ..
            } => vec![(*chunk, *offset, data.clone())],
            Step::Commit(_) => Vec::new(),
            Step::Truncate {
                inode,
                last,
                length,
            } => {
                let of_file = self.current.keys().filter(|id| id.inode == *inode);
                of_file
                    .filter_map(|id| match id.index.raw().cmp(last) {
                        std::cmp::Ordering::Less => None,
                        std::cmp::Ordering::Equal => Some((*id, *length, zeros(*length))),
                        std::cmp::Ordering::Greater => Some((*id, 0, zeros(0))),
                    })
                    .collect()
            }
            Step::Remove(inode) => {
                let of_file = self.current.keys().filter(|id| id.inode == *inode);
                of_file.map(|id| (*id, 0, zeros(0))).collect()
            }
        }
    }

    /// The step may have happened or not.
    fn begin(&mut self, step: &Step) {
        for (id, offset, bytes) in self.effects(step) {
            let (_, allowed) = self.chunk(id);
            for (values, byte) in allowed[offset..].iter_mut().zip(&bytes) {
                *values |= 1 << byte;
            }
        }
    }

    /// The step failed: it may be seen later all the same.
    fn fail(&mut self, step: &Step) {
        for (id, offset, bytes) in self.effects(step) {
            let uncertain = self.uncertain.entry(id).or_default();
            uncertain.extend(offset..offset + bytes.len());
        }
    }

    /// The step was acknowledged.
    fn finish(&mut self, step: &Step) {
        let durable = !matches!(
            step,
            Step::Write {
                stability: Stability::Unstable,
                ..
            }
        );
        for (id, offset, bytes) in self.effects(step) {
            let (current, _) = self.chunk(id);
            current[offset..offset + bytes.len()].copy_from_slice(&bytes);
            if let Some(uncertain) = self.uncertain.get_mut(&id) {
                uncertain.retain(|at| !(offset..offset + bytes.len()).contains(at));
            }
            let allowed = self.allowed.entry(id).or_default();
            if durable {
                for (values, byte) in allowed[offset..].iter_mut().zip(&bytes) {
                    *values = 1 << byte;
                }
            }
        }
        if let Step::Commit(inode) = step {
            for (id, current) in &self.current {
                if id.inode == *inode
                    && let Some(allowed) = self.allowed.get_mut(id)
                {
                    let uncertain = self.uncertain.get(id);
                    for (at, (values, byte)) in allowed.iter_mut().zip(current).enumerate() {
                        if !uncertain.is_some_and(|uncertain| uncertain.contains(&at)) {
                            *values = 1 << byte;
                        }
                    }
                }
            }
        }
    }

    async fn verify(&self, store: &Arc<Store>, context: &str) {
        for (&id, allowed) in &self.allowed {
            let mut found = read_all(store, id).await;
            assert!(
                found.len() <= CHUNK_BYTES,
                "{context}: {id} has {} bytes",
                found.len()
            );
            found.resize(CHUNK_BYTES, 0);
            let wrong = found
                .iter()
                .zip(allowed)
                .position(|(byte, values)| values >> byte & 1 == 0);
            if let Some(at) = wrong {
                panic!(
                    "{context}: {id} byte {at} is {}, allowed {:#x}, was {}",
                    found[at], allowed[at], self.current[&id][at]
                );
            }
        }
        let report = store.check();
        assert!(report.is_clean(), "{context}: {report:?}");
    }
}

fn script(seed: u64, steps: usize) -> Vec<Step> {
    let rng = Seeded::new(seed);
    let mut removed = 0;
    let steps = (0..steps).map(|number| {
        let of = removed + 1 + rng.below(2);
        let index = rng.below(2) as u32;
        match rng.below(12) {
            0..=7 => {
                let length = [
                    1 + rng.below(300),
                    4096,
                    1 + rng.below(30_000),
                    1 + rng.below(80_000),
                ][rng.below(4) as usize];
                let offset = rng.below(CHUNK_BYTES as u64 - length) as usize;
                let offset = if rng.below(2) == 0 {
                    offset & !4095
                } else {
                    offset
                };
                let data = (0..length as usize).map(|at| {
                    let place = Seeded::new((number * 7919 + (offset + at) / 512) as u64);
                    1 + place.below(31) as u8
                });
                Step::Write {
                    chunk: chunk(of, index),
                    offset,
                    data: data.collect(),
                    stability: [Stability::Unstable, Stability::FileSync][rng.below(2) as usize],
                }
            }
            8..=9 => Step::Commit(inode(of)),
            10 => Step::Truncate {
                inode: inode(of),
                last: index,
                length: (rng.below(CHUNK_BYTES as u64) * rng.below(2)) as usize,
            },
            _ => {
                removed += 1;
                Step::Remove(inode(removed))
            }
        }
    });
    steps.collect()
}

fn config() -> StoreConfig {
    StoreConfig {
        // Little memory and short segments: background flushes and compactions happen within the script.
        dirty_bytes_max: 256 << 10,
        dirty_bytes_background: 64 << 10,
        log_segment_bytes: 96 << 10,
        ..small_config()
    }
}

async fn run_step(store: &Arc<Store>, step: &Step) -> Result<(), StoreError> {
    match step {
        Step::Write {
            chunk,
            offset,
            data,
            stability,
        } => {
            let payload = Payload::from(data.clone());
            store
                .write(*chunk, *offset as u32, payload, *stability)
                .await
                .map(drop)
        }
        Step::Commit(inode) => store.commit(*inode).await.map(drop),
        Step::Truncate {
            inode,
            last,
            length,
        } => {
            store
                .truncate(*inode, ChunkIndex::new(*last), *length as u32)
                .await
        }
        Step::Remove(inode) => store.remove(*inode).await,
    }
}

/// Runs the script until something fails, in a runtime of its own: when it is dropped, so is everything in
/// flight. Gives what may be on disk.
fn run_until_failure(disk: &SimulatedDisk, steps: &[Step], stop_at_failure: bool) -> History {
    go_on_until_failure(disk, History::default(), steps, stop_at_failure)
}

fn go_on_until_failure(
    disk: &SimulatedDisk,
    mut history: History,
    steps: &[Step],
    stop_at_failure: bool,
) -> History {
    in_runtime(async {
        let Ok(store) = open(disk.device(), config(), 1).await else {
            return history;
        };
        for step in steps {
            history.begin(step);
            match run_step(&store, step).await {
                Ok(()) => history.finish(step),
                Err(_) if stop_at_failure => return history,
                Err(_) => history.fail(step),
            }
        }
        history
    })
}

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("runtime");
    runtime.block_on(work)
}

/// Opens, verifies, and shows that the store still works.
fn reopen_and_verify(disk: &SimulatedDisk, history: &History, context: &str) {
    in_runtime(async {
        let store = match open(disk.device(), config(), 2).await {
            Ok(store) => store,
            Err(error) => panic!("{context}: does not open: {error}"),
        };
        history.verify(&store, context).await;
        let data = Payload::from(vec![7; 20_000]);
        store
            .write(chunk(99, 0), 100, data.clone(), Stability::Unstable)
            .await
            .expect("write");
        store.flush_all().await.expect("flush");
        let read = store
            .read(chunk(99, 0), common::range(100, 20_000))
            .await
            .expect("read");
        assert!(read == data, "{context}: just written");
        let report = store.check();
        assert!(report.is_clean(), "{context}: afterwards {report:?}");
    });
}

fn operations_of(steps: &[Step]) -> u64 {
    let disk = SimulatedDisk::new(64 << 20);
    let history = run_until_failure(&disk, steps, true);
    assert!(!history.current.is_empty());
    disk.operations()
}

#[test]
fn power_loss_at_every_operation() {
    let mut points = 0;
    for seed in 0..3 {
        let steps = script(seed, 30);
        for crash_at in 0..operations_of(&steps) {
            let disk = SimulatedDisk::new(64 << 20);
            disk.set_faults(Faults {
                crash_at: Some(crash_at),
                ..Faults::default()
            });
            let history = run_until_failure(&disk, &steps, true);
            for choice in 0..3 {
                let disk = disk.fork();
                disk.crash(seed * 1_000_003 + crash_at * 31 + choice);
                reopen_and_verify(
                    &disk,
                    &history,
                    &format!("script {seed}, crash at {crash_at}, choice {choice}"),
                );
                points += 1;
            }
        }
    }
    assert!(points > 500, "only {points} crash points");
}

#[test]
fn power_loss_while_recovering() {
    let steps = script(11, 30);
    let operations = operations_of(&steps);
    for crash_at in (0..operations).step_by(13) {
        let disk = SimulatedDisk::new(64 << 20);
        disk.set_faults(Faults {
            crash_at: Some(crash_at),
            ..Faults::default()
        });
        let history = run_until_failure(&disk, &steps, true);
        disk.crash(crash_at);
        for again_at in (0..30).step_by(3) {
            let disk = disk.fork();
            let now = disk.operations();
            disk.set_faults(Faults {
                crash_at: Some(now + again_at),
                ..Faults::default()
            });
            run_until_failure(&disk, &[], true);
            disk.crash(again_at);
            reopen_and_verify(
                &disk,
                &history,
                &format!("crash at {crash_at}, then {again_at} into recovery"),
            );
        }
    }
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let steps = script(5, 40);
    for crash_at in (0..operations_of(&steps)).step_by(3) {
        let disk = SimulatedDisk::new(64 << 20);
        disk.set_faults(Faults {
            crash_at: Some(crash_at),
            ..Faults::default()
        });
        let history = run_until_failure(&disk, &steps, true);
        disk.restart_process();
        reopen_and_verify(&disk, &history, &format!("killed at {crash_at}"));
    }
}

/// Synchronous writes to one place: the log grows, and what is in it is not needed for long.
fn log_script(steps: usize) -> Vec<Step> {
    let write = |number: usize| Step::Write {
        chunk: chunk(1, 0),
        offset: 0,
        data: vec![1 + (number % 31) as u8; 16_000],
        stability: Stability::FileSync,
    };
    (0..steps).map(write).collect()
}

fn run_until(disk: &SimulatedDisk, steps: &[Step], crash_at: u64) -> History {
    disk.set_faults(Faults {
        crash_at: Some(crash_at),
        ..Faults::default()
    });
    run_until_failure(disk, steps, true)
}

#[test]
fn power_loss_after_a_process_was_killed_while_a_segment_retired() {
    let steps = log_script(40);
    let killed_at = |kill_at| {
        let disk = SimulatedDisk::new(64 << 20);
        let history = run_until(&disk, &steps, kill_at);
        disk.restart_process();
        (disk, history)
    };
    let first = "log-00000001".to_owned();
    let retired_at = (50..operations_of(&steps))
        .find(|&kill_at| !killed_at(kill_at).0.files().contains(&first))
        .expect("the first segment retires");
    for kill_at in retired_at - 3..retired_at + 3 {
        let (disk, history) = killed_at(kill_at);
        for crash_at in 8..25 {
            let disk = disk.fork();
            run_until(&disk, &[], disk.operations() + crash_at);
            for choice in [1, 3] {
                let disk = disk.fork();
                disk.crash(crash_at * 31 + choice);
                let context =
                    format!("killed at {kill_at}, power lost {crash_at} later, choice {choice}");
                reopen_and_verify(&disk, &history, &context);
            }
        }
    }
}

#[test]
fn power_loss_while_the_log_goes_on_in_its_last_segment() {
    let steps = script(12, 10);
    let more = [
        Step::Truncate {
            inode: inode(1),
            last: 0,
            length: 5000,
        },
        Step::Write {
            chunk: chunk(50, 0),
            offset: 10,
            data: vec![9; 5000],
            stability: Stability::FileSync,
        },
        Step::Remove(inode(2)),
    ];
    for crash_at in (8..operations_of(&steps)).step_by(9) {
        let disk = SimulatedDisk::new(64 << 20);
        let history = run_until(&disk, &steps, crash_at);
        disk.crash(crash_at);
        disk.set_capacity(0);
        for again_at in (0..36).step_by(3) {
            let disk = disk.fork();
            let now = disk.operations();
            disk.set_faults(Faults {
                crash_at: Some(now + again_at),
                ..Faults::default()
            });
            let history = go_on_until_failure(&disk, history.clone(), &more, true);
            for choice in 0..2 {
                let disk = disk.fork();
                disk.crash(again_at * 31 + choice);
                disk.set_capacity(64 << 20);
                let context =
                    format!("crash at {crash_at}, then {again_at} later, choice {choice}");
                reopen_and_verify(&disk, &history, &context);
            }
        }
    }
}

#[test]
fn an_io_error_at_every_operation() {
    for seed in 20..21 {
        let steps = script(seed, 30);
        for fail_at in 0..operations_of(&steps) {
            let disk = SimulatedDisk::new(64 << 20);
            disk.set_faults(Faults {
                fail_at: HashSet::from([fail_at]),
                ..Faults::default()
            });
            let history = run_until_failure(&disk, &steps, false);
            let context = format!("script {seed}, error at {fail_at}");
            let restarted = disk.fork();
            restarted.restart_process();
            reopen_and_verify(&restarted, &history, &format!("{context}, restarted"));
            disk.crash(fail_at);
            reopen_and_verify(&disk, &history, &format!("{context}, power lost"));
        }
    }
}

#[test]
fn errors_while_running_never_show_wrong_data() {
    let steps = script(30, 30);
    for fail_at in (0..operations_of(&steps)).step_by(2) {
        let disk = SimulatedDisk::new(64 << 20);
        disk.set_faults(Faults {
            fail_at: HashSet::from([fail_at, fail_at + 5]),
            ..Faults::default()
        });
        in_runtime(async {
            let mut history = History::default();
            let Ok(store) = open(disk.device(), config(), 1).await else {
                return;
            };
            for step in &steps {
                history.begin(step);
                match run_step(&store, step).await {
                    Ok(()) => history.finish(step),
                    Err(_) => history.fail(step),
                }
            }
            disk.set_faults(Faults::default());
            history
                .verify(&store, &format!("errors at {fail_at}"))
                .await;
        });
    }
}
