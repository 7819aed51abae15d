//! Writing frames to a socket: several at one call, straight from where their pieces lie.

use std::io::{self, IoSlice};
use std::time::Duration;

use sluice_types::Payload;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, RequestId};

/// Pieces handed to the socket at one call (the system takes 1024).
const SLICES_MAX: usize = 128;
/// Room for a usual message beside the header.
const HEAD_BYTES: usize = FRAME_HEADER_BYTES + 88;

/// A frame ready to be written.
#[derive(Debug)]
pub(super) struct Frame {
    /// Header and message.
    head: Vec<u8>,
    payload: Payload,
}

impl Frame {
    /// A frame whose message `encode` appends.
    pub(super) fn new(
        kind: FrameKind,
        request: RequestId,
        deadline_ms: u32,
        encode: impl FnOnce(&mut Vec<u8>),
        payload: Payload,
    ) -> Self {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.resize(FRAME_HEADER_BYTES, 0);
        encode(&mut head);
        let message = &head[FRAME_HEADER_BYTES..];
        let header = FrameHeader {
            kind,
            request,
            message_bytes: length_field(message.len()),
            payload_bytes: length_field(payload.len()),
            deadline_ms,
            message_crc32c: crc32c::crc32c(message),
        };
        head[..FRAME_HEADER_BYTES].copy_from_slice(&header.encode());
        Self { head, payload }
    }

    /// Length of the message, in bytes.
    pub(super) fn message_bytes(&self) -> usize {
        self.head.len() - FRAME_HEADER_BYTES
    }

    /// Length of the payload, in bytes.
    pub(super) fn payload_bytes(&self) -> usize {
        self.payload.len()
    }

    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let payload = self.payload.segments().iter().map(|segment| &segment[..]);
        std::iter::once(&self.head[..]).chain(payload)
    }
}

/// Lengths are checked against limits far below 2^32 before a frame is written; one that is not
/// is refused by any peer.
fn length_field(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Writes frames whole.
pub(super) async fn write_frames<T: AsRef<Frame> + Sync>(
    writer: &mut (dyn AsyncWrite + Send + Unpin),
    frames: &[T],
    stall_deadline: Duration,
) -> io::Result<()> {
    let mut slices = slices_of(frames);
    let mut slices = &mut slices[..];
    while !slices.is_empty() {
        let write = writer.write_vectored(&slices[..slices.len().min(SLICES_MAX)]);
        let count = match tokio::time::timeout(stall_deadline, write).await {
            Ok(written) => written?,
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        };
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut slices, count);
    }
    Ok(())
}

fn slices_of<T: AsRef<Frame>>(frames: &[T]) -> Vec<IoSlice<'_>> {
    let pieces = frames.iter().flat_map(|frame| frame.as_ref().pieces());
    pieces.map(IoSlice::new).collect()
}
