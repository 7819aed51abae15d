//! A listener that yields members only. Whoever connects has [`HANDSHAKE_DEADLINE`] to prove itself, in a task of its own,
//! so that nobody waits behind a stranger who says nothing.

use std::collections::VecDeque;
use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::error::LinkError;
use super::member::{HANDSHAKE_DEADLINE, Links, Member, SERVER};
use super::message::LinkService;

/// Connections that may not have proved themselves yet. One more ends the oldest of them: members take a round trip, so
/// those who are in the way are others.
pub const HALF_OPEN_MAX: usize = 256;

/// Something that accepts connections.
pub trait Accept: Send + Sync {
    /// A connection.
    type Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, and who is at its other end. May be dropped and called again without losing one.
    ///
    /// # Errors
    /// What the system says; the listener goes on to be good.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, String)>> + Send;
}

/// A listener that yields members only.
pub struct Acceptor<L: Accept> {
    listener: L,
    links: Links,
    service: LinkService,
    half_open: Mutex<HalfOpen<L::Socket>>,
}

struct HalfOpen<S> {
    handshakes: JoinSet<Option<(S, String)>>,
    /// Those and who ended lately, the oldest first.
    oldest: VecDeque<(AbortHandle, String)>,
}

impl<L: Accept> Acceptor<L> {
    /// Makes `listener` one of members, of which each wants `service`.
    pub fn new(listener: L, links: Links, service: LinkService) -> Self {
        Self {
            listener,
            links,
            service,
            half_open: Mutex::new(HalfOpen {
                handshakes: JoinSet::new(),
                oldest: VecDeque::new(),
            }),
        }
    }

    /// The listener below.
    pub fn listener(&self) -> &L {
        &self.listener
    }

    /// The next member that connected, and who is at the other end. May be dropped and called again without losing one.
    ///
    /// # Errors
    /// What the system says of accepting; the listener goes on to be good.
    pub async fn accept(&self) -> io::Result<(L::Socket, String)> {
        let Links::Keyed(member) = &self.links else {
            return self.listener.accept().await;
        };
        let half_open = &mut *self.half_open.lock().await;
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (socket, peer) = accepted?;
                    half_open.make_room(member, self.service);
                    half_open.begin(member.clone(), self.service, socket, peer);
                }
                Some(ended) = half_open.handshakes.join_next() => {
                    if let Ok(Some(linked)) = ended {
                        return Ok(linked);
                    }
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> HalfOpen<S> {
    fn begin(&mut self, member: Member, service: LinkService, mut socket: S, peer: String) {
        let from = peer.clone();
        let handshake = self.handshakes.spawn(async move {
            let accepted = timeout(HANDSHAKE_DEADLINE, member.accept(&mut socket, service)).await;
            match accepted.unwrap_or(Err(LinkError::Late(HANDSHAKE_DEADLINE))) {
                Ok(()) => Some((socket, peer)),
                Err(error) => {
                    member.note(SERVER, service, &peer, &error);
                    None
                }
            }
        });
        self.oldest.push_back((handshake, from));
    }

    fn make_room(&mut self, member: &Member, service: LinkService) {
        if self.oldest.len() < HALF_OPEN_MAX {
            return;
        }
        self.oldest
            .retain(|(handshake, _)| !handshake.is_finished());
        if self.oldest.len() >= HALF_OPEN_MAX
            && let Some((handshake, peer)) = self.oldest.pop_front()
        {
            handshake.abort();
            member.note(SERVER, service, &peer, &LinkError::CrowdedOut);
        }
    }
}
