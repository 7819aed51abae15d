//! Cuts records off a socket, with no buffers kept while nothing comes.
//!
//! Between records it is not known how much will come: up to [`READ_AHEAD_LENGTH`] bytes are read onto the stack, and
//! whole records in them (nearly all calls but WRITE) are copied to buffers of their exact length. Once a
//! marker has announced more than came along, that many bytes are charged for, a buffer of exactly that length is made,
//! and the socket is read straight into it: the payload of a WRITE is never copied again. After such a large
//! record the next read-ahead is short, just enough for the header of another WRITE, so that hardly any payload comes
//! with it.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use sluice_proto_nfs::XdrError;
use sluice_proto_nfs::rpc::{RecordLimits, RecordParser, Want};
use smallvec::SmallVec;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

use crate::admission::{Charge, ConnectionAdmission};
use crate::limits::{PROGRESS_LENGTH, READ_AHEAD_LENGTH};

/// Read-ahead after a large record: marker, RPC header with AUTH_SYS, and WRITE's arguments up to the data.
const READ_AHEAD_SHORT: usize = 256;

/// A whole record, and what was charged for it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) bytes: Bytes,
    pub(super) charge: Option<Charge>,
}

/// Why no more records come.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The client closed its side between two records.
    #[error("the client closed it")]
    Closed,
    /// The gateway drains or drops its connections.
    #[error("the gateway stops")]
    Stopped,
    /// The client closed its side in the middle of a record.
    #[error("the client closed it in the middle of a record")]
    Cut,
    /// The client did not go on with a record it began.
    #[error("the client stalled in the middle of a record")]
    Stalled,
    /// The stream cannot be followed.
    #[error("bad record: {0}")]
    Malformed(#[from] XdrError),
    /// A record that is no call.
    #[error("not a call: {0}")]
    NotACall(XdrError),
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
}

impl Ended {
    /// Whether replies of calls in work are not worth sending any more.
    pub(super) const fn is_abrupt(&self) -> bool {
        !matches!(self, Self::Closed | Self::Stopped)
    }
}

/// Cuts records off a socket.
#[derive(Debug)]
pub(super) struct Records {
    parser: RecordParser,
    limits: RecordLimits,
    stall_timeout: Duration,
    /// What has come of the current record.
    partial: BytesMut,
    charge: Option<Charge>,
    read_ahead: usize,
}

impl Records {
    pub(super) fn new(limits: RecordLimits, stall_timeout: Duration) -> Self {
        Self {
            parser: RecordParser::new(limits),
            limits,
            stall_timeout,
            partial: BytesMut::new(),
            charge: None,
            read_ahead: READ_AHEAD_LENGTH,
        }
    }

    /// Reads once, and gives the records that are complete now: maybe none.
    pub(super) async fn read(
        &mut self,
        stream: &mut OwnedReadHalf,
        admission: &ConnectionAdmission,
    ) -> Result<SmallVec<[Record; 4]>, Ended> {
        let mut complete = SmallVec::new();
        match self.parser.want() {
            Want::Body(missing) => {
                self.read_body(stream, admission, missing).await?;
                self.cut(&[], &mut complete)?;
            }
            Want::Marker(_) | Want::Complete(_) => {
                if self.charge.is_none() && !self.partial.is_empty() {
                    // More fragments come of a record that is kept already.
                    self.wait_for_more(stream).await?;
                    self.make_room(admission).await?;
                }
                self.read_ahead(stream, &mut complete).await?;
            }
        }
        Ok(complete)
    }

    async fn read_ahead(
        &mut self,
        stream: &OwnedReadHalf,
        complete: &mut SmallVec<[Record; 4]>,
    ) -> Result<(), Ended> {
        if self.parser.is_between_records() {
            stream.readable().await?;
        } else {
            self.wait_for_more(stream).await?;
        }
        // On the stack, and only between two waits: it is no part of the task's state.
        let mut ahead = [0; READ_AHEAD_LENGTH];
        match stream.try_read(&mut ahead[..self.read_ahead]) {
            Ok(0) => Err(self.end_of_stream()),
            Ok(length) => self.cut(&ahead[..length], complete),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes all of `input` and what was complete before it.
    fn cut(&mut self, mut input: &[u8], complete: &mut SmallVec<[Record; 4]>) -> Result<(), Ended> {
        loop {
            match self.parser.want() {
                Want::Complete(length) => {
                    self.parser.start_next();
                    self.read_ahead = if length > READ_AHEAD_LENGTH {
                        READ_AHEAD_SHORT
                    } else {
                        READ_AHEAD_LENGTH
                    };
                    complete.push(Record {
                        bytes: std::mem::take(&mut self.partial).freeze(),
                        charge: self.charge.take(),
                    });
                }
                _ if input.is_empty() => return Ok(()),
                Want::Marker(_) => {
                    let taken = self.parser.accept_marker(input)?;
                    input = &input[taken..];
                }
                Want::Body(missing) => {
                    let (body, rest) = input.split_at(missing.min(input.len()));
                    self.partial.extend_from_slice(body);
                    self.parser.accept_body(body.len());
                    input = rest;
                }
            }
        }
    }

    async fn read_body(
        &mut self,
        stream: &mut OwnedReadHalf,
        admission: &ConnectionAdmission,
        missing: usize,
    ) -> Result<(), Ended> {
        // Nothing more is taken for a record of which nothing more comes.
        self.wait_for_more(stream).await?;
        self.make_room(admission).await?;
        let mut missing = missing;
        while missing > 0 {
            let piece = missing.min(PROGRESS_LENGTH);
            let read = timeout(
                self.stall_timeout,
                self.read_at_least(stream, missing, piece),
            )
            .await;
            missing -= read.map_err(|_| Ended::Stalled)??;
        }
        Ok(())
    }

    /// Reads at least `least` and at most `missing` bytes of the body, and says how many.
    async fn read_at_least(
        &mut self,
        stream: &mut OwnedReadHalf,
        missing: usize,
        least: usize,
    ) -> Result<usize, Ended> {
        let mut taken = 0;
        while taken < least {
            let mut room = (&mut self.partial).limit(missing - taken);
            let length = stream.read_buf(&mut room).await?;
            if length == 0 {
                return Err(Ended::Cut);
            }
            self.parser.accept_body(length);
            taken += length;
        }
        Ok(taken)
    }

    async fn wait_for_more(&self, stream: &OwnedReadHalf) -> Result<(), Ended> {
        let readable = timeout(self.stall_timeout, stream.readable()).await;
        Ok(readable.map_err(|_| Ended::Stalled)??)
    }

    /// Has the record charged for and a buffer made that holds what is announced of it.
    async fn make_room(&mut self, admission: &ConnectionAdmission) -> Result<(), Ended> {
        let length = self.parser.record_length();
        if self.charge.is_none() {
            // Of a record in several fragments the whole length is not known: the most is charged, once.
            let most = if self.parser.is_in_last_fragment() {
                length
            } else {
                self.limits.record_length_max
            };
            self.charge = admission.charge(most).await;
        }
        if self.partial.capacity() < length {
            let mut exact = BytesMut::with_capacity(length);
            exact.put_slice(&self.partial);
            self.partial = exact;
        }
        Ok(())
    }

    const fn end_of_stream(&self) -> Ended {
        if self.parser.is_between_records() {
            Ended::Closed
        } else {
            Ended::Cut
        }
    }
}
