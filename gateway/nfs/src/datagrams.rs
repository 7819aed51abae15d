//! Calls over UDP: one socket, one task that takes datagrams, a task for each call. There is no waiting here: what is over
//! the limit is dropped, and the client sends it again.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sluice_proto_nfs::rpc::CallFault;
use tokio::net::UdpSocket;
use tokio::sync::Semaphore;

use crate::call::{Call, Endpoint};
use crate::connection::Connections;
use crate::dispatch;
use crate::engine::Engine;
use crate::limits::DATAGRAM_LENGTH_MAX;
use crate::reply::Reply;

/// Serves a socket until the gateway stops.
pub(crate) async fn serve(shared: Connections, socket: UdpSocket, endpoint: Endpoint) {
    let socket = Arc::new(socket);
    let places = Arc::new(Semaphore::new(shared.limits.datagrams_max.max(1)));
    // One byte more than allowed, so that longer datagrams are noticed.
    let mut buffer = vec![0; DATAGRAM_LENGTH_MAX + 1];
    loop {
        let received = tokio::select! {
            () = shared.draining.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        let (length, peer) = match received {
            Ok(received) => received,
            Err(error) => {
                // Such as the network's answer that an earlier reply could not be delivered.
                tracing::debug!(%error, "datagram not received");
                continue;
            }
        };
        let metrics = &shared.engine.metrics;
        if length > DATAGRAM_LENGTH_MAX {
            metrics.malformed.increment(1);
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            metrics.datagrams_dropped.increment(1);
            continue;
        };
        let record = Bytes::copy_from_slice(&buffer[..length]);
        let (engine, socket) = (Arc::clone(&shared.engine), Arc::clone(&socket));
        shared.tasks.spawn(async move {
            answer(&engine, &socket, record, peer, endpoint).await;
            drop(place);
        });
    }
}

async fn answer(
    engine: &Engine,
    socket: &UdpSocket,
    record: Bytes,
    peer: SocketAddr,
    endpoint: Endpoint,
) {
    let reply = match Call::parse(record, peer.ip(), endpoint) {
        Ok(call) => dispatch::serve(engine, call).await,
        Err(CallFault::Rejected(header)) => {
            engine.metrics.malformed.increment(1);
            Reply::without_results(header)
        }
        Err(CallFault::NotACall(_)) => {
            engine.metrics.malformed.increment(1);
            return;
        }
    };
    if let Err(error) = socket.send_to(&reply.into_datagram(), peer).await {
        tracing::debug!(%peer, %error, "datagram not sent");
    }
}
