//! Which file has which name, whatever happens at the same time.

use std::time::Duration;

use sluice_types::{InodeId, SystemRng};

use super::writer::Tail;
use super::*;
use crate::simulated::{Faults, SimulatedDisk};

const UUID: TargetUuid = TargetUuid::new(1);
const SEGMENT_BYTES: u64 = 64 << 10;

fn log(disk: &SimulatedDisk) -> Log {
    let state = LogState {
        segments: VecDeque::new(),
        next_sequence: 1,
        next_segment: 1,
        end: 0,
    };
    Log::new(
        disk.device(),
        Arc::new(SystemRng::new()),
        UUID,
        "0".to_owned(),
        SEGMENT_BYTES,
        Arc::default(),
        Arc::new(StoreMetrics::new("0")),
        &state,
    )
}

/// A log in its first segment, on a disk that takes 1 ms for everything.
async fn begun(disk: &SimulatedDisk, with_spare: bool) -> (Log, Segment) {
    let log = log(disk);
    let first = log.begin_segment(1, 1).await.unwrap().segment();
    if with_spare {
        log.want_spare();
        log.prepare_spare().await.unwrap();
    }
    disk.set_faults(Faults {
        latency: Some(Duration::from_millis(1)),
        ..Faults::default()
    });
    (log, first)
}

/// Writes a frame, lets the power go, and finds the frame.
async fn acknowledge_and_find_again(disk: &SimulatedDisk, log: &Log, mut tail: Tail, when: &str) {
    log.append(&Record::RemoveFile {
        inode: InodeId::new(7).unwrap(),
        version: 1,
    });
    let frame = log.next_frame().await.unwrap();
    log.write(&mut tail, frame).await.unwrap();
    disk.crash(1);
    let device = disk.device();
    let names = device.list().await.unwrap();
    let mut found = 0;
    let recovered = recover(&device, UUID, &names, |_, _| {
        found += 1;
        Ok(())
    });
    recovered.await.unwrap();
    assert_eq!(found, 1, "records found, {when}");
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_retires_while_another_begins_does_not_take_its_name() {
    for delay_us in (0..8000).step_by(500) {
        let disk = SimulatedDisk::new(64 << 20);
        let (log, first) = begun(&disk, true).await;
        {
            let mut queue = log.queue.lock();
            queue.log_start = 2;
            queue.segments.pop_front();
        }
        let retire = async {
            tokio::time::sleep(Duration::from_micros(delay_us)).await;
            log.retire_segment(&first).await
        };
        let (tail, retired) = tokio::join!(log.begin_segment(2, 1), retire);
        retired.unwrap();
        let when = format!("retired after {delay_us} us");
        acknowledge_and_find_again(&disk, &log, tail.unwrap(), &when).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_spare_that_is_ready_while_a_segment_begins_does_not_take_its_name() {
    let disk = SimulatedDisk::new(64 << 20);
    let (log, _) = begun(&disk, true).await;
    disk.set_faults(Faults {
        slow_writes: Some((0, Duration::from_secs(1))),
        ..Faults::default()
    });
    let prepare = async {
        // The header is on its way, slowly; the next spare is not slow.
        tokio::time::sleep(Duration::from_millis(1)).await;
        disk.set_faults(Faults::default());
        log.want_spare();
        log.prepare_spare().await
    };
    let (tail, prepared) = tokio::join!(log.begin_segment(2, 1), prepare);
    prepared.unwrap();
    acknowledge_and_find_again(&disk, &log, tail.unwrap(), "with a spare").await;
}
