//! An asker's connection to a daemon.
//!
//! State: which requests wait for their reply, and whether each has begun to be written. A request whose caller
//! gave up before it was written is not written any more; one that was written is answered into the
//! void. When the connection ends, each waiting request learns whether it may have been carried out.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::Payload;
use sluice_wire::storage::{StorageReply, decode_reply, encode_request};
use tokio::io::AsyncWrite;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::budget::{Budget, Share};
use super::options::TcpOptions;
use super::receive::{FrameReader, ReceiveError};
use super::send::{Frame, write_frames};
use crate::metrics::PeerMetrics;
use crate::{BufferPool, FabricError, FrameKind, Reply, Request, RequestId, Stream};

/// Frames written at one call, at most.
const FRAMES_PER_WRITE: usize = 32;

pub(super) struct Connection {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Outgoing>,
    places: Arc<Semaphore>,
    bytes: Budget,
    /// The number of the next request.
    next: AtomicU64,
    /// Reads and writes; ends with the connection.
    _tasks: JoinSet<()>,
}

/// The place of a request on a connection: taken before it is sent.
pub(super) struct Place {
    _place: OwnedSemaphorePermit,
    _bytes: Share,
}

struct Outgoing {
    request: RequestId,
    frame: Frame,
}

impl AsRef<Frame> for Outgoing {
    fn as_ref(&self) -> &Frame {
        &self.frame
    }
}

struct Shared {
    address: String,
    metrics: Arc<PeerMetrics>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<RequestId, Waiting>,
    /// Why the connection ended.
    closed: Option<String>,
}

struct Waiting {
    reply: oneshot::Sender<Result<Reply, FabricError>>,
    reply_payload_bytes_max: u32,
    /// Writing has begun.
    sent: bool,
}

/// A request that waits for its reply. Dropped, it gives up.
pub(super) struct Pending {
    shared: Arc<Shared>,
    request: RequestId,
    reply: oneshot::Receiver<Result<Reply, FabricError>>,
    _place: Place,
}

impl Connection {
    /// Starts to read and write `stream`.
    pub(super) fn start(
        stream: Stream,
        address: &str,
        options: &TcpOptions,
        pool: Arc<BufferPool>,
        metrics: Arc<PeerMetrics>,
    ) -> Self {
        metrics.connections.increment(1);
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            metrics,
            state: Mutex::default(),
        });
        let frames = FrameReader::new(
            stream.reader,
            FrameKind::Reply,
            options.frame_limits(),
            options.stall_deadline,
        );
        let places = options.requests_in_flight_per_connection_max.max(1);
        let (outgoing, requests) = mpsc::channel(places);
        let stall = options.stall_deadline;
        let mut tasks = JoinSet::new();
        tasks.spawn(read_replies(Arc::clone(&shared), frames, pool));
        tasks.spawn(write_requests(
            Arc::clone(&shared),
            requests,
            stream.writer,
            stall,
        ));
        Self {
            shared,
            outgoing,
            places: Arc::new(Semaphore::new(places)),
            bytes: Budget::new(options.bytes_in_flight_per_connection_max),
            next: AtomicU64::new(0),
            _tasks: tasks,
        }
    }

    /// Whether requests can be sent.
    pub(super) fn is_open(&self) -> bool {
        self.shared.state.lock().closed.is_none()
    }

    /// Waits for room for a request that takes `bytes` of memory.
    pub(super) async fn place(&self, bytes: usize) -> Result<Place, FabricError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        Ok(Place {
            _place: place.map_err(|_| FabricError::ShuttingDown)?,
            _bytes: self.bytes.take(bytes).await,
        })
    }

    /// Sends a request; the reply comes through [`Pending`].
    pub(super) async fn send(
        &self,
        request: Request,
        place: Place,
        deadline: Duration,
    ) -> Result<Pending, FabricError> {
        let id = RequestId::new(self.next.fetch_add(1, Ordering::Relaxed));
        let reply_payload_bytes_max = request.header.operation.reply_payload_bytes_max();
        let deadline_ms = u32::try_from(deadline.as_millis())
            .unwrap_or(u32::MAX)
            .max(1);
        let Request { header, payload } = request;
        let encode = |head: &mut Vec<u8>| encode_request(&header, head);
        let frame = Frame::new(FrameKind::Request, id, deadline_ms, encode, payload);
        let (sender, reply) = oneshot::channel();
        self.shared.wait_for(
            id,
            Waiting {
                reply: sender,
                reply_payload_bytes_max,
                sent: false,
            },
        )?;
        let pending = Pending {
            shared: Arc::clone(&self.shared),
            request: id,
            reply,
            _place: place,
        };
        // Should the writer have ended, the connection is closed, and `pending` knows.
        let _ = self.outgoing.send(Outgoing { request: id, frame }).await;
        Ok(pending)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.close("it is no longer used");
        self.shared.metrics.connections.decrement(1);
    }
}

impl Pending {
    /// The reply, or why there is none.
    pub(super) async fn reply(&mut self) -> Result<Reply, FabricError> {
        let ended = || FabricError::Closed {
            address: self.shared.address.clone(),
            reason: "the connection was dropped".to_owned(),
        };
        (&mut self.reply).await.unwrap_or_else(|_| Err(ended()))
    }

    /// Gives up; whether any of the request may have been sent.
    pub(super) fn give_up(&self) -> bool {
        let waiting = self.shared.state.lock().waiting.remove(&self.request);
        waiting.is_none_or(|waiting| waiting.sent)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.shared.state.lock().waiting.remove(&self.request);
    }
}

impl Shared {
    fn wait_for(&self, request: RequestId, waiting: Waiting) -> Result<(), FabricError> {
        let mut state = self.state.lock();
        if let Some(reason) = &state.closed {
            return Err(FabricError::Unreachable {
                address: self.address.clone(),
                reason: reason.clone(),
            });
        }
        state.waiting.insert(request, waiting);
        Ok(())
    }

    /// Notes that a request is about to be written; `false` if nobody waits for it any more.
    fn begin_write(&self, request: RequestId) -> bool {
        let mut state = self.state.lock();
        let waiting = state.waiting.get_mut(&request);
        waiting.map(|waiting| waiting.sent = true).is_some()
    }

    /// The largest payload the reply may have; `None` if nobody waits for it any more.
    fn expected(&self, request: RequestId) -> Option<u32> {
        let state = self.state.lock();
        let waiting = state.waiting.get(&request);
        waiting.map(|waiting| waiting.reply_payload_bytes_max)
    }

    fn answer(&self, request: RequestId, reply: Result<Reply, FabricError>) {
        let waiting = self.state.lock().waiting.remove(&request);
        if let Some(waiting) = waiting {
            // A caller that gave up this moment wants no reply.
            let _ = waiting.reply.send(reply);
        }
    }

    fn close(&self, reason: &str) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed.get_or_insert_with(|| reason.to_owned());
            std::mem::take(&mut state.waiting)
        };
        for waiting in waiting.into_values() {
            let (address, reason) = (self.address.clone(), reason.to_owned());
            let error = if waiting.sent {
                FabricError::Closed { address, reason }
            } else {
                FabricError::Unreachable { address, reason }
            };
            let _ = waiting.reply.send(Err(error));
        }
    }
}

async fn write_requests(
    shared: Arc<Shared>,
    mut requests: mpsc::Receiver<Outgoing>,
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    stall_deadline: Duration,
) {
    let mut batch = Vec::with_capacity(FRAMES_PER_WRITE);
    while requests.recv_many(&mut batch, FRAMES_PER_WRITE).await > 0 {
        batch.retain(|outgoing: &Outgoing| shared.begin_write(outgoing.request));
        if let Err(error) = write_frames(&mut *writer, &batch, stall_deadline).await {
            shared.metrics.failed("io");
            shared.close(&error.to_string());
            return;
        }
        let bytes = batch.iter().map(|outgoing| outgoing.frame.payload_bytes());
        shared.metrics.sent(bytes.sum());
        batch.clear();
    }
}

async fn read_replies(shared: Arc<Shared>, mut frames: FrameReader, pool: Arc<BufferPool>) {
    loop {
        match read_reply(&shared, &mut frames, &pool).await {
            Ok(true) => {}
            Ok(false) => return shared.close("the peer closed it"),
            Err(error) => {
                tracing::warn!(peer = shared.address, %error, "a data plane connection ended");
                shared.metrics.failed(error.kind());
                return shared.close(&error.to_string());
            }
        }
    }
}

/// Reads one reply; `false` at the end.
async fn read_reply(
    shared: &Shared,
    frames: &mut FrameReader,
    pool: &Arc<BufferPool>,
) -> Result<bool, ReceiveError> {
    let Some(header) = frames.header().await? else {
        return Ok(false);
    };
    let message = decode_reply(frames.message(&header).await?);
    let Some(limit) = shared.expected(header.request) else {
        frames.discard_payload(&header).await?;
        return Ok(true);
    };
    if header.payload_bytes > limit {
        let found = header.payload_bytes;
        return Err(ReceiveError::UnexpectedPayload { found, limit });
    }
    let payload = frames.payload(&header, pool).await?;
    shared.metrics.received(payload.len());
    shared.answer(header.request, reply_of(shared, message, payload));
    Ok(true)
}

fn reply_of(
    shared: &Shared,
    message: Result<StorageReply, sluice_wire::WireError>,
    payload: Payload,
) -> Result<Reply, FabricError> {
    match message {
        Ok(header) => Ok(Reply { header, payload }),
        // A peer of another version; other requests may do well.
        Err(error) => Err(FabricError::Protocol {
            address: shared.address.clone(),
            reason: error.to_string(),
        }),
    }
}
