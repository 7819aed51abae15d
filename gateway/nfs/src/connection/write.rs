//! The writer of a connection: sends replies as they are finished, several in one system call, without copying payloads.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes};
use metrics::Counter;
use smallvec::SmallVec;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Finished;
use crate::admission::Admitted;
use crate::limits::PROGRESS_LENGTH;

/// Most replies taken from the queue before they are sent.
const REPLIES_MAX: usize = 32;
/// Most pieces given to the kernel at once.
const SLICES_MAX: usize = 64;

/// A reply that is being sent. Its permits go when its last byte is with the kernel.
#[derive(Debug)]
struct Sending {
    segments: VecDeque<Bytes>,
    _admitted: Admitted,
}

/// The writer of a connection.
#[derive(Debug)]
pub(super) struct Writer {
    stream: OwnedWriteHalf,
    queue: mpsc::Receiver<Finished>,
    stall_timeout: Duration,
    sending: VecDeque<Sending>,
}

impl Writer {
    pub(super) fn new(
        stream: OwnedWriteHalf,
        queue: mpsc::Receiver<Finished>,
        stall_timeout: Duration,
    ) -> Self {
        Self {
            stream,
            queue,
            stall_timeout,
            sending: VecDeque::new(),
        }
    }

    /// Sends until no reply can come any more, or the client does not take them: then `closed` is cancelled.
    pub(super) async fn run(mut self, closed: CancellationToken, stalled: Counter) {
        let result = tokio::select! {
            () = closed.cancelled() => return,
            result = self.send_all() => result,
        };
        if let Err(error) = result {
            if error.kind() == io::ErrorKind::TimedOut {
                stalled.increment(1);
            }
            tracing::debug!(%error, "replies could not be sent");
            closed.cancel();
        }
    }

    async fn send_all(&mut self) -> io::Result<()> {
        while let Some(finished) = self.queue.recv().await {
            self.take(finished);
            while !self.sending.is_empty() {
                timeout(self.stall_timeout, self.send_enough()).await??;
            }
        }
        self.stream.shutdown().await
    }

    /// Sends all there is, but not much more than what must get on in a `stall_timeout`.
    async fn send_enough(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < PROGRESS_LENGTH && !self.sending.is_empty() {
            while self.sending.len() < REPLIES_MAX {
                match self.queue.try_recv() {
                    Ok(finished) => self.take(finished),
                    Err(_) => break,
                }
            }
            sent += self.send_some().await?;
        }
        Ok(())
    }

    fn take(&mut self, finished: Finished) {
        match finished.reply.into_segments() {
            Some(segments) => self.sending.push_back(Sending {
                segments: segments.collect(),
                _admitted: finished.admitted,
            }),
            None => tracing::error!("a reply was too long to be sent"),
        }
    }

    /// One system call; says how many bytes it took.
    async fn send_some(&mut self) -> io::Result<usize> {
        let segments = self.sending.iter().flat_map(|sending| &sending.segments);
        let slices: SmallVec<[IoSlice<'_>; SLICES_MAX]> = segments
            .take(SLICES_MAX)
            .map(|segment| IoSlice::new(segment))
            .collect();
        let sent = self.stream.write_vectored(&slices).await?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        drop(slices);
        self.forget(sent);
        Ok(sent)
    }

    /// Drops the first `sent` bytes, and replies that are through.
    fn forget(&mut self, mut sent: usize) {
        while let Some(first) = self.sending.front_mut() {
            while let Some(segment) = first.segments.front_mut() {
                if segment.len() > sent {
                    segment.advance(sent);
                    return;
                }
                sent -= segment.len();
                first.segments.pop_front();
            }
            self.sending.pop_front();
        }
    }
}
