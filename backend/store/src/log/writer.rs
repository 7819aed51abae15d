//! The one task that writes frames.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Frame, Log, LogState, Segment};
use crate::StoreError;
use crate::device::{BUFFER_BYTES, Buffer};
use crate::format::{
    BLOCK_BYTES, FRAME_HEADER_BYTES, SegmentHeader, frame_bytes, seal_frame, segment_name,
};

/// How often a writer that waits for space looks for it.
const SEGMENT_RETRY: Duration = Duration::from_millis(100);
/// How often it looks before the log counts as used up: 10 s.
const SEGMENT_TRIES_QUIET: u32 = 100;

/// Where the next frame goes.
#[derive(Debug)]
pub(super) struct Tail {
    segment: Segment,
    at: u64,
}

#[cfg(test)]
impl Tail {
    pub(super) fn segment(&self) -> Segment {
        self.segment
    }
}

impl Log {
    /// Begins a segment and returns the task that writes frames to it until the log is closed.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] if it would be the first segment; [`StoreError::Device`].
    pub(crate) async fn start(
        self: Arc<Self>,
        state: LogState,
    ) -> Result<impl Future<Output = ()> + Send, StoreError> {
        let begun = self.try_begin_segment(state.next_segment, state.next_sequence);
        let mut tail = match (begun.await?, state.segments.back()) {
            (Some(tail), _) => tail,
            (None, Some(&last)) => self.resume(last, state.end).await?,
            (None, None) => return Err(StoreError::NoSpace),
        };
        Ok(async move {
            while let Some(frame) = self.next_frame().await {
                let sequence = frame.sequence;
                let result = self.write(&mut tail, frame).await;
                if let Err(error) = &result {
                    self.failure.fail(&self.label, error);
                }
                let mut queue = self.queue.lock();
                match result {
                    Ok(()) => {
                        queue.durable_sequence = sequence;
                        queue.answer(sequence, &Ok(()));
                    }
                    Err(error) => {
                        queue.answer(u64::MAX, &Err(error));
                        queue.frames.clear();
                        queue.closed = true;
                        return;
                    }
                }
            }
        })
    }

    pub(super) async fn next_frame(&self) -> Option<Frame> {
        loop {
            {
                let mut queue = self.queue.lock();
                if queue.closed {
                    return None;
                }
                if let Some(frame) = queue.frames.pop_front() {
                    return Some(frame);
                }
            }
            self.wake.notified().await;
        }
    }

    pub(super) async fn write(&self, tail: &mut Tail, mut frame: Frame) -> Result<(), StoreError> {
        let length = frame_bytes(frame.bytes.len() - FRAME_HEADER_BYTES);
        if tail.at + length as u64 > tail.segment.bytes {
            *tail = self
                .begin_segment(tail.segment.number + 1, frame.sequence)
                .await?;
            self.rolled.notify_one();
        }
        let log_start = self.queue.lock().log_start;
        seal_frame(
            &mut frame.bytes,
            frame.sequence,
            log_start,
            frame.records,
            tail.segment.salt,
        );
        let device_error = |action: &str, error| {
            StoreError::device(
                format!("{action} {}", segment_name(tail.segment.number)),
                error,
            )
        };
        let buffers = self.buffers(&frame.bytes, length).await;
        let written = self
            .device
            .write_at(tail.segment.file, tail.at, buffers)
            .await;
        written.map_err(|error| device_error("writing", error))?;
        let flushed = self.device.flush(tail.segment.file).await;
        flushed.map_err(|error| device_error("flushing", error))?;
        *tail = self.tail(tail.segment, tail.at + length as u64);
        if tail.at > tail.segment.bytes / 4 {
            self.want_spare();
        }
        self.metrics.log_frame(length, frame.records);
        Ok(())
    }

    /// The bytes in aligned buffers, padded with zeros to `length`.
    pub(super) async fn buffers(&self, bytes: &[u8], length: usize) -> Vec<Buffer> {
        let lengths: Vec<usize> = (0..length)
            .step_by(BUFFER_BYTES)
            .map(|at| BUFFER_BYTES.min(length - at))
            .collect();
        let mut buffers = self.device.pools().writes.take(&lengths).await;
        let mut rest = bytes;
        for buffer in &mut buffers {
            let (now, later) = rest.split_at(rest.len().min(buffer.len()));
            let target = buffer.as_mut();
            target[..now.len()].copy_from_slice(now);
            target[now.len()..].fill(0);
            rest = later;
        }
        buffers
    }

    /// Makes a segment, durable with its header, the current one; waits while there is no space for it.
    pub(super) async fn begin_segment(
        &self,
        number: u64,
        first_sequence: u64,
    ) -> Result<Tail, StoreError> {
        let mut tries = 0_u32;
        loop {
            if let Some(tail) = self.try_begin_segment(number, first_sequence).await? {
                self.note_used_up(false);
                return Ok(tail);
            }
            tries = tries.saturating_add(1);
            if tries == SEGMENT_TRIES_QUIET {
                self.note_used_up(true);
            }
            tokio::time::sleep(SEGMENT_RETRY).await;
        }
    }

    /// None if there is no space for it.
    async fn try_begin_segment(
        &self,
        number: u64,
        first_sequence: u64,
    ) -> Result<Option<Tail>, StoreError> {
        let name = segment_name(number);
        let device_error = |error| StoreError::device(format!("beginning {name}"), error);
        let Some(prepared) = self.prepared_file().await? else {
            return Ok(None);
        };
        let file = prepared.file;
        let log_start = self.queue.lock().log_start;
        let header = SegmentHeader {
            number,
            log_start,
            uuid: self.uuid,
            first_sequence,
            salt: self.rng.next_u64(),
        };
        let block = self.buffers(&header.encode(), BLOCK_BYTES).await;
        self.device
            .write_at(file, 0, block)
            .await
            .map_err(device_error)?;
        self.device.flush(file).await.map_err(device_error)?;
        // Only now: a numbered segment always has its header.
        self.device
            .rename(prepared.name, &name)
            .await
            .map_err(device_error)?;
        self.device.sync_directory().await.map_err(device_error)?;
        drop(prepared);
        let segment = Segment {
            number,
            file,
            bytes: self.segment_bytes,
            first_sequence,
            salt: header.salt,
        };
        self.queue.lock().segments.push_back(segment);
        self.look_for_space().await;
        Ok(Some(self.tail(segment, BLOCK_BYTES as u64)))
    }

    /// Goes on in the last segment, behind its last whole frame: when there is no space for another after a start.
    async fn resume(&self, segment: Segment, at: u64) -> Result<Tail, StoreError> {
        let device_error =
            |error| StoreError::device(format!("resuming {}", segment_name(segment.number)), error);
        if at < segment.bytes {
            // A torn frame may begin here, which nobody heard was written. It must be gone before anything is written over
            // it: what of it is on the disk and what another torn write leaves could make it whole.
            let zeros = self.buffers(&[], BLOCK_BYTES).await;
            let written = self.device.write_at(segment.file, at, zeros).await;
            written.map_err(device_error)?;
            let flushed = self.device.flush(segment.file).await;
            flushed.map_err(device_error)?;
        }
        Ok(self.tail(segment, at))
    }

    fn tail(&self, segment: Segment, at: u64) -> Tail {
        let rest = segment.bytes.saturating_sub(at);
        self.rest_bytes.store(rest, Ordering::Release);
        Tail { segment, at }
    }
}
