//! The exchange over a socket.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::{Clock, Rng};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::error::LinkError;
use super::exchange::{Accepter, Asker};
use super::key::{LinkKey, Nonce};
use super::message::{HEAD_BYTES, LinkService, Message, MessageHead};
use crate::metrics;

/// How long the exchange may take.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);

/// How often links that were not made are told of in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// The side that made a connection, in logs and metrics.
const CLIENT: &str = "client";
/// The side that accepted it.
pub(super) const SERVER: &str = "server";

/// How connections inside the cluster begin.
#[derive(Clone, Debug)]
pub enum Links {
    /// Without proofs: whoever reaches the port is served.
    Open,
    /// With mutual proof of the cluster key.
    Keyed(Member),
}

impl Links {
    /// With mutual proof of `key`. `rng` gives nonces: it must not repeat itself.
    pub fn keyed(key: LinkKey, clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        Self::Keyed(Member {
            key,
            rng,
            log: Arc::new(LinkLog {
                clock,
                state: Mutex::default(),
            }),
        })
    }

    /// Begins a connection that this side made to `peer`: when it returns, requests can be sent.
    ///
    /// # Errors
    /// [`LinkError`]; the connection is of no use then.
    pub async fn begin(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        service: LinkService,
        peer: &str,
    ) -> Result<(), LinkError> {
        match self {
            Self::Open => Ok(()),
            Self::Keyed(member) => {
                let asked = timeout(HANDSHAKE_DEADLINE, member.ask(stream, service)).await;
                let result = asked.unwrap_or(Err(LinkError::Late(HANDSHAKE_DEADLINE)));
                result.inspect_err(|error| member.note(CLIENT, service, peer, error))
            }
        }
    }
}

/// One that has the cluster key.
#[derive(Clone, Debug)]
pub struct Member {
    key: LinkKey,
    rng: Arc<dyn Rng>,
    log: Arc<LinkLog>,
}

impl Member {
    /// The asker's side.
    pub(super) async fn ask(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        service: LinkService,
    ) -> Result<(), LinkError> {
        let (asker, hello) = Asker::begin(&self.key, service, self.nonce());
        send(stream, &hello, service).await?;
        let answered = receive(stream, service).await;
        let answered = answered.and_then(|said| asker.answer(&said));
        let proof = or_refuse(stream, service, answered).await?;
        send(stream, &proof, service).await
    }

    /// The accepter's side.
    pub(super) async fn accept(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        service: LinkService,
    ) -> Result<(), LinkError> {
        let hello = receive(stream, service).await;
        let begun = hello.and_then(|said| Accepter::begin(&self.key, service, self.nonce(), &said));
        let (accepter, challenge) = or_refuse(stream, service, begun).await?;
        send(stream, &challenge, service).await?;
        let proof = receive(stream, service).await;
        let checked = proof.and_then(|said| accepter.check(&said));
        or_refuse(stream, service, checked).await
    }

    /// Counts a link that was not made, and tells of it in the log now and then.
    pub(super) fn note(
        &self,
        side: &'static str,
        service: LinkService,
        peer: &str,
        error: &LinkError,
    ) {
        metrics::link_refused(side, service.name(), error.kind());
        // Whoever only looks whether there is a port would fill the log.
        if side == SERVER && !error.is_lasting() {
            tracing::debug!(peer, side, %service, %error, "no link");
            return;
        }
        if let Some(unsaid) = self.log.due() {
            tracing::warn!(peer, side, %service, unsaid, "no link with {peer}: {error}");
        }
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = Nonce::default();
        for part in nonce.chunks_exact_mut(8) {
            part.copy_from_slice(&self.rng.next_u64().to_le_bytes());
        }
        nonce
    }
}

/// When links that were not made were last told of.
#[derive(Debug)]
struct LinkLog {
    clock: Arc<dyn Clock>,
    state: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    at: Option<Duration>,
    unsaid: u64,
}

impl LinkLog {
    /// If it is time to tell: of how many was not told meanwhile.
    fn due(&self) -> Option<u64> {
        let now = self.clock.monotonic();
        let told = &mut *self.state.lock();
        if told.at.is_some_and(|at| now < at + LOG_INTERVAL) {
            told.unsaid += 1;
            return None;
        }
        told.at = Some(now);
        Some(std::mem::take(&mut told.unsaid))
    }
}

async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &Message,
    service: LinkService,
) -> Result<(), LinkError> {
    stream.write_all(&message.encode(service)).await?;
    Ok(stream.flush().await?)
}

/// Reads one message and not a byte more: what follows the last is the connection's own.
async fn receive(
    stream: &mut (impl AsyncRead + Unpin),
    service: LinkService,
) -> Result<Message, LinkError> {
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    let head = MessageHead::decode(&head)?;
    let mut body = [0; u8::MAX as usize];
    let body = &mut body[..head.body_bytes()];
    stream.read_exact(body).await?;
    Message::decode(head, body, service)
}

/// Passes `result` on; an error is told to the other side first, as far as it would understand it.
async fn or_refuse<T>(
    stream: &mut (impl AsyncWrite + Unpin),
    service: LinkService,
    result: Result<T, LinkError>,
) -> Result<T, LinkError> {
    if let Err(error) = &result
        && let Some(refusal) = error.refusal(service)
    {
        // It may be gone already: then it knows that there is no link.
        let _ = send(stream, &Message::Refusal(refusal), service).await;
        let _ = stream.shutdown().await;
    }
    result
}
