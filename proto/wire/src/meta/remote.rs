//! The metadata service in another process, over tonic.
//!
//! One address is in use at a time; the next is tried when it cannot be reached. A call is sent again only
//! where that cannot do anything twice: when no connection was made, so nothing was sent, when
//! the operation is repeatable ([`Operation::is_repeatable`]), or when it comes with a [`sluice_types::CallId`], by which the
//! service knows it again. Otherwise, and at the deadline, the caller learns [`FsError::Unavailable`] and decides.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sluice_types::FsError;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, ConnectError, Request, Status};

use super::connector::Connector;
use super::messages::{reply_from_message, request_to_message};
use super::serve::MESSAGE_BYTES_MAX;
use super::{CallContext, Metadata, Operation, Outcome};
use crate::generated::meta::v1 as message;
use crate::links::Links;
use message::metadata_client::MetadataClient;

/// How the metadata service is reached.
#[derive(Clone, Copy, Debug)]
pub struct RemoteOptions {
    /// How long a call may take in all, tries and waits included.
    pub call_deadline: Duration,
    /// The same for a call with a [`sluice_types::CallId`]: who is told that it failed when it may have been done will ask
    /// under another id, and do it twice. So it is as long as a stock client waits before it sends a call again.
    pub once_deadline: Duration,
    /// The same for [`Operation::CheckMetadata`], which reads everything there is.
    pub check_deadline: Duration,
    /// How long making a connection may take, proofs of the cluster key included.
    pub connect_deadline: Duration,
    /// After how long without a word a connection is probed, and then after as long again given up.
    pub keepalive: Duration,
    /// Connections to each address, at least 1.
    pub connections: usize,
    /// The wait before the second try; doubled before each further one.
    pub backoff_min: Duration,
    /// The longest wait between tries.
    pub backoff_max: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            call_deadline: Duration::from_secs(10),
            once_deadline: Duration::from_secs(60),
            check_deadline: Duration::from_secs(600),
            connect_deadline: Duration::from_secs(2),
            keepalive: Duration::from_secs(2),
            connections: 2,
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_secs(1),
        }
    }
}

type Connection = MetadataClient<Channel>;

/// The metadata service in another process.
#[derive(Debug)]
pub struct RemoteMetadata {
    /// For each address its connections; neither list is empty.
    peers: Vec<Vec<Connection>>,
    /// Counts up; its remainder is the address in use.
    active: AtomicUsize,
    /// Counts calls, which take connections in turn.
    turn: AtomicUsize,
    options: RemoteOptions,
}

impl RemoteMetadata {
    /// Prepares connections to `addresses`, each `host:port`, the preferred first, that begin as `links` says. Connects
    /// when called, and again whenever a connection was lost.
    ///
    /// # Errors
    /// [`FsError::Invalid`] for no address or one that is not `host:port`.
    pub fn connect(
        addresses: &[String],
        links: &Links,
        options: RemoteOptions,
    ) -> Result<Self, FsError> {
        if addresses.is_empty() {
            return Err(FsError::Invalid);
        }
        let peers = addresses
            .iter()
            .map(|address| connections(address, links, &options));
        Ok(Self {
            peers: peers.collect::<Result<_, _>>()?,
            active: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            options,
        })
    }

    async fn call_until_answered(
        &self,
        context: &CallContext,
        operation: Operation,
        deadline: Duration,
    ) -> Result<Outcome, FsError> {
        let repeatable = operation.is_repeatable() || context.call.is_some();
        let request = request_to_message(context.clone(), operation);
        let mut backoff = self.options.backoff_min;
        loop {
            let active = self.active.load(Ordering::Relaxed);
            let mut connection = self.connection(active);
            let mut request = Request::new(request.clone());
            request.set_timeout(deadline);
            let status = match connection.call(request).await {
                Ok(reply) => return read_reply(reply.into_inner()),
                Err(status) => status,
            };
            match judge(&status) {
                Fault::Final(error) => return Err(error),
                Fault::OutcomeUnknown if !repeatable => return Err(FsError::Unavailable),
                Fault::OutcomeUnknown | Fault::NotSent => self.leave(active),
            }
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(self.options.backoff_max);
        }
    }

    fn connection(&self, active: usize) -> Connection {
        let peer = &self.peers[active % self.peers.len()];
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        peer[turn % peer.len()].clone()
    }

    /// Turns to the next address, unless another call has done so already.
    fn leave(&self, active: usize) {
        let next = active.wrapping_add(1);
        let order = Ordering::Relaxed;
        let _ = self.active.compare_exchange(active, next, order, order);
    }
}

#[async_trait]
impl Metadata for RemoteMetadata {
    async fn call(&self, context: &CallContext, operation: Operation) -> Result<Outcome, FsError> {
        let deadline = match operation {
            Operation::CheckMetadata(_) => self.options.check_deadline,
            _ if context.call.is_some() => self.options.once_deadline,
            _ => self.options.call_deadline,
        };
        let call = self.call_until_answered(context, operation, deadline);
        let answered = tokio::time::timeout(deadline, call).await;
        answered.unwrap_or(Err(FsError::Unavailable))
    }
}

fn connections(
    address: &str,
    links: &Links,
    options: &RemoteOptions,
) -> Result<Vec<Connection>, FsError> {
    let has_port = address.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if !has_port {
        return Err(FsError::Invalid);
    }
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| FsError::Invalid)?
        .http2_keep_alive_interval(options.keepalive)
        .keep_alive_timeout(options.keepalive)
        .keep_alive_while_idle(true);
    let connector = Connector::new(links.clone(), options.connect_deadline);
    let connection = || {
        MetadataClient::new(endpoint.connect_with_connector_lazy(connector.clone()))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
    };
    Ok((0..options.connections.max(1))
        .map(|_| connection())
        .collect())
}

fn read_reply(reply: message::Reply) -> Result<Outcome, FsError> {
    // A reply that cannot be read comes from a peer of another version.
    reply_from_message(reply).unwrap_or(Err(FsError::Internal))
}

/// What a call without a reply means.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// There was no connection.
    NotSent,
    /// The operation may have been carried out.
    OutcomeUnknown,
    /// The peer refused the call itself; sending it again is of no use.
    Final(FsError),
}

fn judge(status: &Status) -> Fault {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return Fault::NotSent;
        }
        source = error.source();
    }
    match status.code() {
        Code::InvalidArgument => Fault::Final(FsError::Invalid),
        Code::Unimplemented => Fault::Final(FsError::NotSupported),
        Code::OutOfRange | Code::Internal | Code::DataLoss => Fault::Final(FsError::Internal),
        Code::PermissionDenied | Code::Unauthenticated => Fault::Final(FsError::AccessDenied),
        _ => Fault::OutcomeUnknown,
    }
}

#[cfg(test)]
mod tests;
