//! Reading the log back.

use std::collections::VecDeque;
use std::sync::Arc;

use sluice_types::TargetUuid;

use super::{LogState, Segment};
use crate::StoreError;
use crate::device::{BUFFER_BYTES, Buffer, Device};
use crate::format::{
    BLOCK_BYTES, FrameError, FrameHeader, Record, SegmentHeader, decode_frame, frame_bytes,
    parse_segment_name, records, segment_name,
};

/// Bytes read at once while scanning.
const SCAN_BYTES: usize = 1 << 20;

/// Replays the log: calls `apply` for every record, in order, with the sequence of its frame.
///
/// # Errors
/// [`StoreError::Corrupt`] if anything but an unfinished last frame is amiss.
pub(crate) async fn recover(
    device: &Arc<dyn Device>,
    uuid: TargetUuid,
    names: &[String],
    mut apply: impl FnMut(u64, Record<'_>) -> Result<(), StoreError>,
) -> Result<LogState, StoreError> {
    let (mut found, log_start) = open_segments(device, uuid, names).await?;
    // What is read may be in the page cache or the disk's cache only; it counts from now on, also for what is deleted.
    for segment in found.iter().rev().take(2) {
        let flushed = device.flush(segment.file).await;
        flushed.map_err(|error| {
            StoreError::device(format!("flushing {}", segment_name(segment.number)), error)
        })?;
    }
    let log_start = find_log_start(device, &found, log_start).await?;
    let next_segment = found.back().map_or(1, |last| last.number + 1);
    while let Some(first) = found.front().copied()
        && first.number < log_start
    {
        // Its deletion was not durable when the power went.
        discard(device, first).await?;
        found.pop_front();
    }
    check_numbers(&found, log_start)?;
    let mut sequence = found.front().map_or(1, |first| first.first_sequence);
    let mut end = 0;
    for segment in &found {
        let name = segment_name(segment.number);
        if segment.first_sequence != sequence {
            return Err(StoreError::Corrupt(format!(
                "{name} begins with frame {}, expected {sequence}: frames are missing before it",
                segment.first_sequence
            )));
        }
        let bytes = read_segment(device, segment).await?;
        end = BLOCK_BYTES as u64;
        for frame in frames(&bytes, segment, sequence) {
            let (header, body) = frame?;
            sequence = header.sequence + 1;
            end += frame_bytes(body.len()) as u64;
            for record in records(body) {
                let damaged = |error| {
                    StoreError::Corrupt(format!("{name}, frame {}: {error}", header.sequence))
                };
                apply(header.sequence, record.map_err(damaged)?)?;
            }
        }
    }
    Ok(LogState {
        segments: found,
        next_sequence: sequence,
        next_segment,
        end,
    })
}

/// Opens all segments, oldest first, and gives what the newest says is the oldest needed.
async fn open_segments(
    device: &Arc<dyn Device>,
    uuid: TargetUuid,
    names: &[String],
) -> Result<(VecDeque<Segment>, u64), StoreError> {
    let mut log_start = 1;
    let mut numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| parse_segment_name(name))
        .collect();
    numbers.sort_unstable();
    let mut segments = VecDeque::new();
    for &number in &numbers {
        let name = segment_name(number);
        let opened = device.open(&name).await;
        let (file, bytes) =
            opened.map_err(|error| StoreError::device(format!("opening {name}"), error))?;
        let bytes = bytes / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        let mut segment = Segment {
            number,
            file,
            bytes,
            first_sequence: 0,
            salt: 0,
        };
        let block = read(device, &segment, 0, BLOCK_BYTES.min(bytes as usize)).await?;
        match SegmentHeader::decode(&block)? {
            Some(header) if header.uuid != uuid => {
                return Err(StoreError::Corrupt(format!(
                    "{name} belongs to target {}, expected {uuid}",
                    header.uuid
                )));
            }
            Some(header) if header.number != number => {
                return Err(StoreError::Corrupt(format!(
                    "{name} says it is segment {}",
                    header.number
                )));
            }
            Some(header) => {
                segment.first_sequence = header.first_sequence;
                segment.salt = header.salt;
                log_start = header.log_start;
                segments.push_back(segment);
            }
            None => return Err(StoreError::Corrupt(format!("{name} has no header"))),
        }
    }
    Ok((segments, log_start))
}

async fn discard(device: &Arc<dyn Device>, segment: Segment) -> Result<(), StoreError> {
    let name = segment_name(segment.number);
    device.close(segment.file).await;
    let deleted = device.delete(&name).await;
    deleted.map_err(|error| StoreError::device(format!("deleting {name}"), error))
}

/// The number of the oldest segment needed: the newest frame says it, or the newest segment's header, whichever
/// is later.
async fn find_log_start(
    device: &Arc<dyn Device>,
    segments: &VecDeque<Segment>,
    by_header: u64,
) -> Result<u64, StoreError> {
    for segment in segments.iter().rev() {
        let bytes = read_segment(device, segment).await?;
        let mut newest = None;
        for frame in frames(&bytes, segment, segment.first_sequence) {
            newest = Some(frame?.0.log_start);
        }
        if let Some(log_start) = newest {
            return Ok(log_start.max(by_header));
        }
    }
    Ok(by_header)
}

fn check_numbers(segments: &VecDeque<Segment>, log_start: u64) -> Result<(), StoreError> {
    for (segment, expected) in segments.iter().zip(log_start..) {
        if segment.number != expected {
            return Err(StoreError::Corrupt(format!(
                "{} is missing; the next there is {}",
                segment_name(expected),
                segment_name(segment.number)
            )));
        }
    }
    if segments.is_empty() {
        return Err(StoreError::Corrupt(format!(
            "{} is missing: there is no log",
            segment_name(log_start)
        )));
    }
    Ok(())
}

/// All bytes of a segment: as much memory as a segment has, for the time of a scan.
pub(crate) async fn read_segment(
    device: &Arc<dyn Device>,
    segment: &Segment,
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(segment.bytes as usize);
    while (bytes.len() as u64) < segment.bytes {
        let length = SCAN_BYTES.min(segment.bytes as usize - bytes.len());
        bytes.extend_from_slice(&read(device, segment, bytes.len() as u64, length).await?);
    }
    Ok(bytes)
}

async fn read(
    device: &Arc<dyn Device>,
    segment: &Segment,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, StoreError> {
    let buffers = (0..length)
        .step_by(BUFFER_BYTES)
        .map(|at| Buffer::on_heap(BUFFER_BYTES.min(length - at)))
        .collect();
    let read = device.read_at(segment.file, offset, buffers).await;
    let buffers = read.map_err(|error| {
        StoreError::device(format!("reading {}", segment_name(segment.number)), error)
    })?;
    Ok(buffers
        .iter()
        .flat_map(|buffer| buffer.as_ref())
        .copied()
        .collect())
}

/// The frames of a segment's bytes, from that sequence on. Ends at a torn frame; fails if a good frame follows
/// a bad one, or has an unexpected sequence.
pub(crate) fn frames<'a>(
    bytes: &'a [u8],
    segment: &Segment,
    first_sequence: u64,
) -> impl Iterator<Item = Result<(FrameHeader, &'a [u8]), StoreError>> {
    let (salt, name) = (segment.salt, segment_name(segment.number));
    let (mut at, mut sequence, mut ended) = (BLOCK_BYTES, first_sequence, false);
    std::iter::from_fn(move || {
        if ended || at >= bytes.len() {
            return None;
        }
        match decode_frame(&bytes[at..], salt) {
            Ok((header, body)) if header.sequence == sequence => {
                at += frame_bytes(body.len());
                sequence += 1;
                Some(Ok((header, body)))
            }
            Ok((header, _)) => {
                ended = true;
                Some(Err(StoreError::Corrupt(format!(
                    "{name} at byte {at}: frame {}, expected {sequence}",
                    header.sequence
                ))))
            }
            Err(error) => {
                ended = true;
                let later = later_frame(&bytes[at..], salt)?;
                Some(Err(damage(&name, at, sequence, error, later)))
            }
        }
    })
}

/// The sequence of a good frame after the start of `bytes`.
fn later_frame(bytes: &[u8], salt: u64) -> Option<u64> {
    (BLOCK_BYTES..bytes.len())
        .step_by(BLOCK_BYTES)
        .find_map(|at| decode_frame(&bytes[at..], salt).ok())
        .map(|(header, _)| header.sequence)
}

fn damage(name: &str, at: usize, sequence: u64, error: FrameError, later: u64) -> StoreError {
    StoreError::Corrupt(format!(
        "{name} at byte {at}: frame {sequence} is bad ({error}), but frame {later} after it is good"
    ))
}
