//! One connection as its server sees it.
//!
//! The reader takes a place, and then bytes, for each request before it reads the payload; both go with the
//! request until its reply is written. A request that had to wait longer than its asker is not begun. When
//! the connection ends, requests that began are told so, and are finished; their replies are lost.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use sluice_types::{BootId, FsError, Payload};
use sluice_wire::storage::{StorageReply, StorageRequest, decode_request, encode_reply};
use tokio::io::AsyncWrite;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Share};
use super::receive::{FrameReader, ReceiveError};
use super::send::{Frame, write_frames};
use super::server::Surroundings;
use crate::{FrameHeader, FrameKind, Reply, Request, RequestId, Stream};

/// Frames written at one call, at most.
const FRAMES_PER_WRITE: usize = 32;

/// A reply ready to be written, and what its request holds until then.
struct Outgoing {
    frame: Frame,
    _place: Place,
}

impl AsRef<Frame> for Outgoing {
    fn as_ref(&self) -> &Frame {
        &self.frame
    }
}

struct Place {
    _request: OwnedSemaphorePermit,
    _bytes: [Share; 2],
}

struct Session {
    surroundings: Arc<Surroundings>,
    places: Arc<Semaphore>,
    bytes: Budget,
    replies: mpsc::Sender<Outgoing>,
    requests: JoinSet<()>,
    /// Cancelled when nobody waits for replies any more.
    ended: CancellationToken,
}

/// Serves `stream` until either side ends it or `stop` says so, then finishes what began.
pub(super) async fn serve(
    stream: Stream,
    surroundings: Arc<Surroundings>,
    mut stop: watch::Receiver<bool>,
) {
    surroundings.metrics.connections.increment(1);
    let options = surroundings.options;
    let places = options.requests_in_flight_per_connection_max.max(1);
    let (replies, outgoing) = mpsc::channel(places);
    let mut frames = FrameReader::new(
        stream.reader,
        FrameKind::Request,
        options.frame_limits(),
        options.stall_deadline,
    );
    let mut session = Session {
        places: Arc::new(Semaphore::new(places)),
        bytes: Budget::new(options.bytes_in_flight_per_connection_max),
        replies,
        requests: JoinSet::new(),
        ended: CancellationToken::new(),
        surroundings: Arc::clone(&surroundings),
    };
    let mut writing = JoinSet::new();
    writing.spawn(write_replies(
        Arc::clone(&surroundings),
        outgoing,
        stream.writer,
    ));
    let mut is_stopped = false;
    let ended = tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {
            is_stopped = true;
            Ok(())
        }
        _ = writing.join_next() => Ok(()),
        ended = session.read(&mut frames) => ended,
    };
    if let Err(error) = ended {
        tracing::warn!(peer = stream.peer, %error, "a data plane connection ended");
        surroundings.metrics.failed(error.kind());
    }
    if !is_stopped {
        // Else the asker is still there, and gets its replies.
        session.ended.cancel();
    }
    session.finish().await;
    // The last sender is gone, so the writer ends when it has written what there is.
    while writing.join_next().await.is_some() {}
    surroundings.metrics.connections.decrement(1);
}

impl Session {
    async fn read(&mut self, frames: &mut FrameReader) -> Result<(), ReceiveError> {
        while let Some(header) = frames.header().await? {
            while self.requests.try_join_next().is_some() {}
            let received = self.surroundings.clock.monotonic();
            match decode_request(frames.message(&header).await?) {
                Ok(request) => self.admit(frames, &header, request, received).await?,
                Err(error) => {
                    // The message came whole, so its sender is of another version.
                    tracing::warn!(%error, "a data plane request makes no sense");
                    self.surroundings.metrics.failed("message");
                    frames.discard_payload(&header).await?;
                    self.refuse(header.request).await;
                }
            }
        }
        Ok(())
    }

    /// Waits for room, reads the payload and begins the request.
    async fn admit(
        &mut self,
        frames: &mut FrameReader,
        header: &FrameHeader,
        request: StorageRequest,
        received: Duration,
    ) -> Result<(), ReceiveError> {
        let expected = request.operation.reply_payload_bytes_max();
        if expected > self.surroundings.options.payload_bytes_max {
            frames.discard_payload(header).await?;
            self.refuse(header.request).await;
            return Ok(());
        }
        let bytes = header.payload_bytes.max(expected) as usize;
        let Some(place) = self.place(bytes).await else {
            return Ok(());
        };
        let waited = self.surroundings.clock.monotonic().saturating_sub(received);
        if waited >= header.deadline() {
            self.surroundings.metrics.failed("deadline_passed");
            return frames.discard_payload(header).await;
        }
        let payload = frames.payload(header, &self.surroundings.pool).await?;
        self.surroundings.metrics.received(payload.len());
        let request = Request {
            header: request,
            payload,
        };
        let waited = self.surroundings.clock.monotonic().saturating_sub(received);
        let begun = Begun {
            id: header.request,
            left: header.deadline().saturating_sub(waited),
            given_up: self.ended.child_token(),
            place,
        };
        let surroundings = Arc::clone(&self.surroundings);
        let replies = self.replies.clone();
        self.requests
            .spawn(carry_out(surroundings, begun, request, replies));
        Ok(())
    }

    /// Room for a request; `None` only at the end.
    async fn place(&self, bytes: usize) -> Option<Place> {
        let request = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let own = self.bytes.take(bytes).await;
        let common = self.surroundings.bytes.take(bytes).await;
        Some(Place {
            _request: request,
            _bytes: [own, common],
        })
    }

    async fn refuse(&self, request: RequestId) {
        if let Some(place) = self.place(0).await {
            let frame = reply_frame(&self.surroundings, request, failure(FsError::Invalid));
            let outgoing = Outgoing {
                frame,
                _place: place,
            };
            // Without a writer the connection is at its end.
            let _ = self.replies.send(outgoing).await;
        }
    }

    async fn finish(mut self) {
        drop(self.replies);
        while self.requests.join_next().await.is_some() {}
    }
}

/// A request that begins, beside what is asked.
struct Begun {
    id: RequestId,
    /// Until its deadline.
    left: Duration,
    given_up: CancellationToken,
    place: Place,
}

async fn carry_out(
    surroundings: Arc<Surroundings>,
    begun: Begun,
    request: Request,
    replies: mpsc::Sender<Outgoing>,
) {
    let operation = request.header.operation.index();
    let started = surroundings.clock.monotonic();
    let in_flight = surroundings.metrics.begin();
    let handling = surroundings.handler.handle(request, begun.given_up.clone());
    let mut handling = pin!(AssertUnwindSafe(handling).catch_unwind());
    let handled = tokio::select! {
        biased;
        handled = &mut handling => handled,
        () = tokio::time::sleep(begun.left) => {
            begun.given_up.cancel();
            handling.await
        }
    };
    let reply = handled.unwrap_or_else(|_| {
        surroundings.metrics.failed("panic");
        failure(FsError::Internal)
    });
    drop(in_flight);
    let took = surroundings.clock.monotonic().saturating_sub(started);
    surroundings.metrics.answered(operation, took);
    let frame = reply_frame(&surroundings, begun.id, reply);
    // Without a writer the connection is at its end, and nobody waits for the reply.
    let _ = replies
        .send(Outgoing {
            frame,
            _place: begun.place,
        })
        .await;
}

fn reply_frame(surroundings: &Surroundings, id: RequestId, reply: Reply) -> Frame {
    let limits = surroundings.options.frame_limits();
    let build = |reply: Reply| {
        let encode = |head: &mut Vec<u8>| encode_reply(&reply.header, head);
        Frame::new(FrameKind::Reply, id, 0, encode, reply.payload)
    };
    let boot = reply.header.boot;
    let frame = build(reply);
    let fits = frame.message_bytes() <= limits.message_bytes_max as usize
        && frame.payload_bytes() <= limits.payload_bytes_max as usize;
    if fits {
        return frame;
    }
    tracing::error!(
        message_bytes = frame.message_bytes(),
        payload_bytes = frame.payload_bytes(),
        "a data plane reply is too long to be sent"
    );
    surroundings.metrics.failed("too_large");
    let mut reply = failure(FsError::Internal);
    reply.header.boot = boot;
    build(reply)
}

/// A reply that says nothing of the target.
fn failure(error: FsError) -> Reply {
    Reply {
        header: StorageReply {
            boot: BootId::new(0),
            result: Err(error),
        },
        payload: Payload::new(),
    }
}

async fn write_replies(
    surroundings: Arc<Surroundings>,
    mut replies: mpsc::Receiver<Outgoing>,
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
) {
    let stall = surroundings.options.stall_deadline;
    let mut batch = Vec::with_capacity(FRAMES_PER_WRITE);
    while replies.recv_many(&mut batch, FRAMES_PER_WRITE).await > 0 {
        if let Err(error) = write_frames(&mut *writer, &batch, stall).await {
            tracing::debug!(%error, "replies could not be written");
            surroundings.metrics.failed("io");
            return;
        }
        let bytes = batch
            .iter()
            .map(|outgoing: &Outgoing| outgoing.frame.payload_bytes());
        surroundings.metrics.sent(bytes.sum());
        batch.clear();
    }
}
