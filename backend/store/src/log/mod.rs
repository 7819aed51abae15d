//! The log: index and journal of a target in one.
//!
//! Records are appended to the open frame under the caller's shard lock; one writer task takes the oldest
//! frame, writes it, flushes, and answers all who wait for it: while one frame is on its way to the disk, the next
//! fills, so any number of callers share a flush. One frame is unflushed at a time.
//!
//! Bounds: what is appended but not written is bounded by the callers, who wait for their frame; a synchronous
//! writer has at most `journal_bytes_max` in it, a flush its chunks' records.

mod recover;
mod spare;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use sluice_types::{Rng, TargetUuid};
use tokio::sync::{Notify, oneshot};

use crate::StoreError;
use crate::device::{Device, FileId};
use crate::failure::Failure;
use crate::format::{BLOCK_BYTES, FRAME_HEADER_BYTES, Record, encode_record};
use crate::metrics::StoreMetrics;

pub(crate) use recover::{frames, read_segment, recover};

/// Bytes of records after which a frame takes no more; a quarter of a segment, if that is less, so that
/// every frame fits into one.
const FRAME_BODY_TARGET_BYTES: usize = 768 * 1024;

/// A log segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) file: FileId,
    pub(crate) bytes: u64,
    pub(crate) first_sequence: u64,
    pub(crate) salt: u64,
}

/// What recovery found, and where the log goes on.
#[derive(Debug)]
pub(crate) struct LogState {
    /// Oldest first.
    pub(crate) segments: VecDeque<Segment>,
    /// Of the next frame.
    pub(crate) next_sequence: u64,
    /// Of the next segment.
    pub(crate) next_segment: u64,
    /// Where the frames of the last segment end, in bytes.
    pub(crate) end: u64,
}

#[derive(Debug)]
pub(crate) struct Log {
    device: Arc<dyn Device>,
    rng: Arc<dyn Rng>,
    uuid: TargetUuid,
    label: String,
    segment_bytes: u64,
    failure: Arc<Failure>,
    metrics: Arc<StoreMetrics>,
    queue: Mutex<Queue>,
    wake: Notify,
    spare: spare::Spare,
    /// Bytes of the current segment that are not written yet.
    rest_bytes: AtomicU64,
    /// Whether the writer has waited long for space for a segment.
    used_up: AtomicBool,
    /// Told when a new segment was begun, or a spare one is wanted.
    pub(crate) rolled: Notify,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Frame>,
    next_sequence: u64,
    durable_sequence: u64,
    waiters: BTreeMap<u64, Vec<oneshot::Sender<Result<(), StoreError>>>>,
    segments: VecDeque<Segment>,
    log_start: u64,
    closed: bool,
    frame_bytes_target: usize,
}

/// A frame that fills.
#[derive(Debug)]
struct Frame {
    sequence: u64,
    /// Room for the header, then records.
    bytes: Vec<u8>,
    records: u32,
}

impl Log {
    #[expect(clippy::too_many_arguments, reason = "wiring, called once")]
    pub(crate) fn new(
        device: Arc<dyn Device>,
        rng: Arc<dyn Rng>,
        uuid: TargetUuid,
        label: String,
        segment_bytes: u64,
        failure: Arc<Failure>,
        metrics: Arc<StoreMetrics>,
        state: &LogState,
    ) -> Self {
        let log_start = state
            .segments
            .front()
            .map_or(state.next_segment, |first| first.number);
        Self {
            device,
            rng,
            uuid,
            label,
            segment_bytes,
            failure,
            metrics,
            queue: Mutex::new(Queue {
                frames: VecDeque::new(),
                next_sequence: state.next_sequence,
                durable_sequence: state.next_sequence - 1,
                waiters: BTreeMap::new(),
                segments: state.segments.clone(),
                log_start,
                closed: false,
                frame_bytes_target: FRAME_BODY_TARGET_BYTES.min(segment_bytes as usize / 4),
            }),
            wake: Notify::new(),
            spare: spare::Spare::default(),
            rest_bytes: AtomicU64::new(0),
            used_up: AtomicBool::new(false),
            rolled: Notify::new(),
        }
    }

    /// Appends a record; gives the sequence of its frame. To be called under the lock under which
    /// the change becomes visible.
    pub(crate) fn append(&self, record: &Record<'_>) -> u64 {
        let mut queue = self.queue.lock();
        let frame = queue.open_frame();
        encode_record(&mut frame.bytes, record);
        frame.records += 1;
        let sequence = frame.sequence;
        drop(queue);
        self.wake.notify_one();
        sequence
    }

    /// Queues a frame without records, which carries the start of the log.
    fn append_nothing(&self) -> u64 {
        let sequence = self.queue.lock().open_frame().sequence;
        self.wake.notify_one();
        sequence
    }

    /// Waits until the frame is durable.
    pub(crate) async fn durable(&self, sequence: u64) -> Result<(), StoreError> {
        let wait = {
            let mut queue = self.queue.lock();
            if queue.durable_sequence >= sequence {
                return Ok(());
            }
            self.failure.check()?;
            if queue.closed {
                return Err(StoreError::Closed);
            }
            let (done, wait) = oneshot::channel();
            queue.waiters.entry(sequence).or_default().push(done);
            wait
        };
        wait.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits until all that was appended is durable.
    pub(crate) async fn barrier(&self) -> Result<(), StoreError> {
        let last = self.queue.lock().next_sequence - 1;
        self.durable(last).await
    }

    /// Bytes of all segments, and their number.
    pub(crate) fn size(&self) -> (u64, usize) {
        let queue = self.queue.lock();
        let bytes = queue.segments.iter().map(|segment| segment.bytes).sum();
        (bytes, queue.segments.len())
    }

    /// Bytes that records of that many bytes, appended one after the other, take in frames, at most about: the writer may
    /// take the first at once, while the others come.
    pub(crate) fn framed_bytes(&self, records_bytes: u64) -> u64 {
        let target = self.queue.lock().frame_bytes_target as u64;
        records_bytes + (records_bytes / target + 2) * BLOCK_BYTES as u64
    }

    /// Bytes of the current segment that are not written yet.
    pub(crate) fn rest_bytes(&self) -> u64 {
        self.rest_bytes.load(Ordering::Acquire)
    }

    /// The oldest segment and the sequence after its last frame, if it is not the current one.
    pub(crate) fn oldest(&self) -> Option<(Segment, u64)> {
        let queue = self.queue.lock();
        let next = queue.segments.get(1)?;
        Some((*queue.segments.front()?, next.first_sequence))
    }

    /// Gives up the oldest segment, of which nothing is needed any more.
    pub(crate) async fn drop_oldest(&self, oldest: Segment) -> Result<(), StoreError> {
        {
            let mut queue = self.queue.lock();
            queue.log_start = oldest.number + 1;
            queue.segments.pop_front();
        }
        let told = self.append_nothing();
        self.durable(told).await?;
        self.retire_segment(&oldest).await
    }

    /// Ends the writer task; what is not durable yet is answered with an error.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        queue.answer(u64::MAX, &Err(StoreError::Closed));
        drop(queue);
        self.wake.notify_one();
    }
}

impl Queue {
    fn open_frame(&mut self) -> &mut Frame {
        let fits = self
            .frames
            .back()
            .is_some_and(|frame| frame.bytes.len() < self.frame_bytes_target);
        if !fits {
            self.frames.push_back(Frame {
                sequence: self.next_sequence,
                bytes: vec![0; FRAME_HEADER_BYTES],
                records: 0,
            });
            self.next_sequence += 1;
        }
        match self.frames.back_mut() {
            Some(frame) => frame,
            None => unreachable!("a frame was pushed if there was none"),
        }
    }

    /// Answers all who wait for frames up to that one.
    fn answer(&mut self, sequence: u64, result: &Result<(), StoreError>) {
        while let Some(entry) = self.waiters.first_entry()
            && *entry.key() <= sequence
        {
            for waiter in entry.remove() {
                // Whoever gave up waiting needs no answer.
                let _ = waiter.send(result.clone());
            }
        }
    }
}
