//! Reading frames from a socket: nothing is believed before it is checked, no memory is taken before
//! its length is within limits.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sluice_types::Payload;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::{BufferPool, FRAME_HEADER_BYTES, FrameError, FrameHeader, FrameKind, FrameLimits};

/// Enough for several headers and messages at one call; a payload's further bytes bypass it.
const READ_AHEAD_BYTES: usize = 4096;
/// A longer message buffer is given back after use.
const MESSAGE_KEPT_BYTES: usize = 64 * 1024;

/// Why a socket is of no further use.
#[derive(Debug, Error)]
pub(super) enum ReceiveError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("nothing came for {0:?} in the middle of a frame")]
    Stalled(Duration),
    #[error("a reply with {found} bytes of payload, expected at most {limit}")]
    UnexpectedPayload { found: u32, limit: u32 },
}

impl ReceiveError {
    /// A short name for metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::Frame(_) | Self::UnexpectedPayload { .. } => "protocol",
            Self::Stalled(_) => "stalled",
        }
    }
}

pub(super) struct FrameReader {
    reader: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    expected: FrameKind,
    limits: FrameLimits,
    stall_deadline: Duration,
    message: Vec<u8>,
}

impl FrameReader {
    pub(super) fn new(
        reader: Box<dyn AsyncRead + Send + Unpin>,
        expected: FrameKind,
        limits: FrameLimits,
        stall_deadline: Duration,
    ) -> Self {
        Self {
            reader: BufReader::with_capacity(READ_AHEAD_BYTES, reader),
            expected,
            limits,
            stall_deadline,
            message: Vec::new(),
        }
    }

    /// The next frame's header; `None` if the peer closed the socket after a whole frame.
    pub(super) async fn header(&mut self) -> Result<Option<FrameHeader>, ReceiveError> {
        if self.reader.fill_buf().await?.is_empty() {
            return Ok(None);
        }
        let mut bytes = [0; FRAME_HEADER_BYTES];
        in_time(self.stall_deadline, self.reader.read_exact(&mut bytes)).await?;
        let header = FrameHeader::decode(&bytes, self.expected, self.limits)?;
        Ok(Some(header))
    }

    /// The message that follows `header`.
    pub(super) async fn message(&mut self, header: &FrameHeader) -> Result<&[u8], ReceiveError> {
        let length = header.message_bytes as usize;
        if self.message.capacity() > MESSAGE_KEPT_BYTES.max(length) {
            self.message = Vec::new();
        }
        self.message.resize(length, 0);
        in_time(
            self.stall_deadline,
            self.reader.read_exact(&mut self.message),
        )
        .await?;
        header.check_message(&self.message)?;
        Ok(&self.message)
    }

    /// The payload that follows the message, in a pooled buffer.
    pub(super) async fn payload(
        &mut self,
        header: &FrameHeader,
        pool: &Arc<BufferPool>,
    ) -> Result<Payload, ReceiveError> {
        if header.payload_bytes == 0 {
            return Ok(Payload::new());
        }
        let mut buffer = pool.take(header.payload_bytes as usize);
        let mut rest = buffer.as_mut_slice();
        while !rest.is_empty() {
            let count = in_time(self.stall_deadline, self.reader.read(rest)).await?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            rest = &mut rest[count..];
        }
        Ok(buffer.freeze().into())
    }

    /// Passes over the payload that follows the message.
    pub(super) async fn discard_payload(
        &mut self,
        header: &FrameHeader,
    ) -> Result<(), ReceiveError> {
        let mut left = header.payload_bytes as usize;
        while left > 0 {
            let buffered = in_time(self.stall_deadline, self.reader.fill_buf()).await?;
            let count = buffered.len().min(left);
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.reader.consume(count);
            left -= count;
        }
        Ok(())
    }
}

async fn in_time<T>(
    deadline: Duration,
    read: impl Future<Output = io::Result<T>>,
) -> Result<T, ReceiveError> {
    match tokio::time::timeout(deadline, read).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(ReceiveError::Stalled(deadline)),
    }
}
