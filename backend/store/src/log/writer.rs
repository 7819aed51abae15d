//! The one task that writes frames.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Frame, Log, Segment};
use crate::StoreError;
use crate::device::{BUFFER_BYTES, Buffer};
use crate::format::{
    BLOCK_BYTES, FRAME_HEADER_BYTES, SEGMENT_NEW_NAME, SEGMENT_SPARE_NAME, SegmentHeader,
    frame_bytes, seal_frame, segment_name,
};

/// How long a full disk may keep the log from growing before the target fails.
const SEGMENT_TRIES_MAX: u32 = 100;
const SEGMENT_RETRY: Duration = Duration::from_millis(100);

/// Where the next frame goes.
#[derive(Debug)]
struct Tail {
    segment: Segment,
    at: u64,
}

impl Log {
    /// Begins a segment and returns the task that writes frames to it until the log is closed.
    pub(crate) async fn start(
        self: Arc<Self>,
        next_segment: u64,
    ) -> Result<impl Future<Output = ()> + Send, StoreError> {
        let first_sequence = self.queue.lock().next_sequence;
        let mut tail = self.begin_segment(next_segment, first_sequence).await?;
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

    async fn next_frame(&self) -> Option<Frame> {
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

    async fn write(&self, tail: &mut Tail, mut frame: Frame) -> Result<(), StoreError> {
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
        tail.at += length as u64;
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

    /// Makes a segment, durable with its header, the current one.
    async fn begin_segment(&self, number: u64, first_sequence: u64) -> Result<Tail, StoreError> {
        let name = segment_name(number);
        let device_error = |error| StoreError::device(format!("beginning {name}"), error);
        let log_start = self.queue.lock().log_start;
        let header = SegmentHeader {
            number,
            log_start,
            uuid: self.uuid,
            first_sequence,
            salt: self.rng.next_u64(),
        };
        let (file, prepared_name) = match self.take_spare() {
            Some(file) => (file, SEGMENT_SPARE_NAME),
            None => (self.create_segment().await?, SEGMENT_NEW_NAME),
        };
        let block = self.buffers(&header.encode(), BLOCK_BYTES).await;
        self.device
            .write_at(file, 0, block)
            .await
            .map_err(device_error)?;
        self.device.flush(file).await.map_err(device_error)?;
        // Only now: a numbered segment always has its header.
        self.device
            .rename(prepared_name, &name)
            .await
            .map_err(device_error)?;
        self.device.sync_directory().await.map_err(device_error)?;
        let segment = Segment {
            number,
            file,
            bytes: self.segment_bytes,
            first_sequence,
            salt: header.salt,
        };
        self.queue.lock().segments.push_back(segment);
        Ok(Tail {
            segment,
            at: BLOCK_BYTES as u64,
        })
    }

    async fn create_segment(&self) -> Result<crate::device::FileId, StoreError> {
        let mut tries = 0;
        loop {
            match self
                .device
                .create(SEGMENT_NEW_NAME, self.segment_bytes)
                .await
            {
                Ok(file) => return Ok(file),
                Err(error)
                    if error.kind() == io::ErrorKind::StorageFull && tries < SEGMENT_TRIES_MAX =>
                {
                    if tries == 0 {
                        tracing::error!(
                            target_label = self.label,
                            "no space for a log segment; waiting"
                        );
                    }
                    tries += 1;
                    tokio::time::sleep(SEGMENT_RETRY).await;
                }
                Err(error) => return Err(StoreError::device("creating a log segment", error)),
            }
        }
    }
}
