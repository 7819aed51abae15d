//! Calls in work that must not be in work twice at a time.
//!
//! A client that waits too long connects again and sends its calls again, while the first ones may still be in work
//! here. A call that comes again is not started: it waits for the first one's reply and gets the same. That
//! goes for WRITE too: of two of them the later one could be applied when the client, answered by the other, has written
//! something newer there.
//!
//! Nothing is remembered once a call has ended: the metadata service knows what changes were made, for all gateways. Every entry and everything that waits for one is a call
//! that holds a permit ([`crate::admission`]): there are at most `calls_max` of both together.

use std::net::IpAddr;

use bytes::Bytes;
use dashmap::{DashMap, Entry};
use metrics::Counter;
use tokio::sync::oneshot;

use crate::reply::Reply;

/// Tells a call from all others in work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct CallKey {
    pub(crate) client: IpAddr,
    /// What the client calls itself, and its user: `None` for AUTH_NONE.
    pub(crate) machine: Option<Bytes>,
    pub(crate) uid: Option<u32>,
    pub(crate) xid: u32,
    pub(crate) procedure: u32,
    /// Of the arguments.
    pub(crate) checksum: u32,
}

/// Calls in work, and who else waits for their replies.
pub(crate) struct InFlight {
    calls: DashMap<CallKey, Vec<oneshot::Sender<Reply>>>,
    duplicates: Counter,
}

impl InFlight {
    pub(crate) fn new(duplicates: Counter) -> Self {
        Self {
            calls: DashMap::new(),
            duplicates,
        }
    }

    /// Serves a call, or waits for the reply of the same call if that is in work.
    pub(crate) async fn once(&self, key: CallKey, serve: impl Future<Output = Reply>) -> Reply {
        let first = loop {
            match self.enter(&key) {
                Ok(first) => break first,
                Err(reply) => {
                    self.duplicates.increment(1);
                    if let Ok(reply) = reply.await {
                        return reply;
                    }
                    // The first one was broken off without a reply.
                }
            }
        };
        let reply = serve.await;
        for waiting in first.leave() {
            let _ = waiting.send(reply.clone());
        }
        reply
    }

    fn enter(&self, key: &CallKey) -> Result<First<'_>, oneshot::Receiver<Reply>> {
        match self.calls.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(Vec::new());
                Ok(First {
                    calls: &self.calls,
                    key: Some(key.clone()),
                })
            }
            Entry::Occupied(mut occupied) => {
                let (sender, receiver) = oneshot::channel();
                occupied.get_mut().push(sender);
                Err(receiver)
            }
        }
    }
}

/// The entry of a call in work; it goes even if the call is broken off.
struct First<'a> {
    calls: &'a DashMap<CallKey, Vec<oneshot::Sender<Reply>>>,
    key: Option<CallKey>,
}

impl First<'_> {
    /// Takes the entry away, and says who waits.
    fn leave(mut self) -> Vec<oneshot::Sender<Reply>> {
        self.remove()
    }

    fn remove(&mut self) -> Vec<oneshot::Sender<Reply>> {
        let removed = self.key.take().and_then(|key| self.calls.remove(&key));
        removed.map_or_else(Vec::new, |(_, waiting)| waiting)
    }
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use sluice_proto_nfs::rpc::ReplyStatus;
    use tokio::sync::oneshot;

    use super::*;

    fn key(xid: u32) -> CallKey {
        CallKey {
            client: Ipv4Addr::LOCALHOST.into(),
            machine: Some(Bytes::from_static(b"machine")),
            uid: Some(0),
            xid,
            procedure: 12,
            checksum: 5,
        }
    }

    fn reply(xid: u32) -> Reply {
        Reply::ended(xid, ReplyStatus::SystemError)
    }

    #[tokio::test]
    async fn what_waits_for_a_call_that_is_broken_off_is_served_itself() {
        let in_flight = InFlight::new(Counter::noop());
        let (_hold, held) = oneshot::channel::<()>();
        let mut first = Box::pin(in_flight.once(key(1), async {
            let _ = held.await;
            reply(1)
        }));
        assert!(futures_ready(first.as_mut()).is_none());
        let mut second = Box::pin(in_flight.once(key(1), async { reply(2) }));
        assert!(futures_ready(second.as_mut()).is_none());
        drop(first);
        assert_eq!(second.await.into_datagram()[..4], [0, 0, 0, 2]);
        assert!(in_flight.calls.is_empty());
    }

    /// Polls once.
    fn futures_ready<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
