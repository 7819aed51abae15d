//! One TCP connection: calls out, replies back in any order.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sluice_proto_nfs::rpc::{
    Credential, RecordAssembler, RecordLimits, RemoteCall, ReplyHeader, ReplyStatus, encode_call,
    record_marker,
};
use sluice_proto_nfs::xdr::{Decode, Decoder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use super::NfsError;

/// How long a call waits for its reply unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection with any number of calls in flight.
#[derive(Debug)]
pub struct Connection {
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    waiting: Arc<Waiting>,
    next_xid: AtomicU32,
    deadline: Duration,
    reader: tokio::task::JoinHandle<()>,
}

/// Calls whose replies have not come: at most as many as the test has in flight.
#[derive(Debug, Default)]
struct Waiting(Mutex<Option<HashMap<u32, oneshot::Sender<Bytes>>>>);

/// The results of a call that the server accepted.
#[derive(Debug, Clone)]
pub struct Reply {
    record: Bytes,
    body_position: usize,
}

impl Connection {
    /// Connects to `address`.
    ///
    /// # Errors
    /// [`NfsError::Connect`].
    pub async fn connect(address: SocketAddr) -> Result<Self, NfsError> {
        let connect_error = |error: std::io::Error| NfsError::Connect(error.to_string());
        let stream = TcpStream::connect(address).await.map_err(connect_error)?;
        Self::over(stream)
    }

    /// Speaks over a connected socket: one made inside a test network, for example.
    ///
    /// # Errors
    /// [`NfsError::Connect`] if its options cannot be set.
    pub fn over(stream: TcpStream) -> Result<Self, NfsError> {
        let connect_error = |error: std::io::Error| NfsError::Connect(error.to_string());
        stream.set_nodelay(true).map_err(connect_error)?;
        let (reading, writing) = stream.into_split();
        let waiting = Arc::new(Waiting(Mutex::new(Some(HashMap::new()))));
        let reader = tokio::spawn(read_replies(reading, Arc::clone(&waiting)));
        Ok(Self {
            writer: tokio::sync::Mutex::new(writing),
            waiting,
            // Not the same in two connections: a server may know a call again by its xid.
            next_xid: AtomicU32::new(rand::random()),
            deadline: DEADLINE,
            reader,
        })
    }

    /// With another deadline for each call.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// An xid that this connection has not used.
    pub fn fresh_xid(&self) -> u32 {
        self.next_xid.fetch_add(1, Ordering::Relaxed)
    }

    /// Calls a procedure and waits for its reply.
    ///
    /// # Errors
    /// As [`Connection::call_with_xid`].
    pub async fn call<C: RemoteCall>(
        &self,
        credential: Credential<'_>,
        call: &C,
    ) -> Result<Reply, NfsError> {
        self.call_with_xid(self.fresh_xid(), credential, call).await
    }

    /// Calls a procedure under a given xid: to say the same call again, for example.
    ///
    /// # Errors
    /// [`NfsError::Refused`], [`NfsError::Disconnected`], [`NfsError::TimedOut`], [`NfsError::Malformed`].
    pub async fn call_with_xid<C: RemoteCall>(
        &self,
        xid: u32,
        credential: Credential<'_>,
        call: &C,
    ) -> Result<Reply, NfsError> {
        self.exchange(xid, &encode_call(xid, credential, call))
            .await
    }

    /// Sends an encoded call and waits for the reply to `xid`.
    ///
    /// # Errors
    /// As [`Connection::call_with_xid`].
    pub async fn exchange(&self, xid: u32, message: &[u8]) -> Result<Reply, NfsError> {
        let reply = self.waiting.expect(xid).ok_or(NfsError::Disconnected)?;
        let result = tokio::time::timeout(self.deadline, async {
            self.send(message).await?;
            reply.await.map_err(|_| NfsError::Disconnected)
        })
        .await;
        match result {
            Ok(record) => Reply::accept(record?),
            Err(_) => {
                self.waiting.forget(xid);
                Err(NfsError::TimedOut(self.deadline))
            }
        }
    }

    async fn send(&self, message: &[u8]) -> Result<(), NfsError> {
        let mut record = Vec::with_capacity(message.len() + 4);
        record.extend_from_slice(&record_marker(message.len())?);
        record.extend_from_slice(message);
        let mut writer = self.writer.lock().await;
        let sent = writer.write_all(&record).await;
        sent.map_err(|_| NfsError::Disconnected)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Waiting {
    fn expect(&self, xid: u32) -> Option<oneshot::Receiver<Bytes>> {
        let (sender, receiver) = oneshot::channel();
        self.with(|calls| {
            calls
                .as_mut()?
                .insert(xid, sender)
                .map_or(Some(()), |_| Some(()))
        })?;
        Some(receiver)
    }

    fn forget(&self, xid: u32) {
        self.with(|calls| calls.as_mut().and_then(|calls| calls.remove(&xid)));
    }

    fn answer(&self, record: Vec<u8>) {
        let xid = record.first_chunk().map(|xid| u32::from_be_bytes(*xid));
        let call = self.with(|calls| calls.as_mut()?.remove(&xid?));
        if let Some(call) = call {
            // Whoever asked may have stopped waiting.
            let _ = call.send(Bytes::from(record));
        }
    }

    /// Ends every call; none can begin any more.
    fn close(&self) {
        self.with(Option::take);
    }

    fn with<T>(
        &self,
        action: impl FnOnce(&mut Option<HashMap<u32, oneshot::Sender<Bytes>>>) -> T,
    ) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn read_replies(mut reading: OwnedReadHalf, waiting: Arc<Waiting>) {
    let limits = RecordLimits {
        record_length_max: 64 << 20,
        fragments_max: 1024,
    };
    let mut assembler = RecordAssembler::new(limits);
    let mut buffer = vec![0; 256 * 1024];
    'connection: while let Ok(count @ 1..) = reading.read(&mut buffer).await {
        let mut input = &buffer[..count];
        loop {
            match assembler.push(&mut input) {
                Ok(Some(record)) => waiting.answer(record),
                Ok(None) => break,
                Err(_) => break 'connection,
            }
        }
    }
    waiting.close();
}

impl Reply {
    fn accept(record: Bytes) -> Result<Self, NfsError> {
        let mut decoder = Decoder::new(&record);
        let header = ReplyHeader::decode(&mut decoder)?;
        let body_position = decoder.position();
        match header.status {
            ReplyStatus::Success => Ok(Self {
                record,
                body_position,
            }),
            refusal => Err(NfsError::Refused(refusal)),
        }
    }

    /// The results, as the procedure of `C` has them.
    ///
    /// # Errors
    /// [`NfsError::Malformed`], also for bytes left over.
    pub fn results<'a, C: RemoteCall>(&'a self) -> Result<C::Results<'a>, NfsError> {
        let body = &self.record[self.body_position..];
        Ok(C::Results::from_bytes(body)?)
    }

    /// The whole reply's bytes, header and all.
    pub fn record(&self) -> Bytes {
        self.record.clone()
    }

    /// The results' bytes.
    pub fn body(&self) -> Bytes {
        self.record.slice(self.body_position..)
    }
}
