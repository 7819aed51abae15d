//! Calls over UDP: one socket, one task that takes datagrams, a task for each call. There is no waiting here: what is over
//! the limit is dropped, and the client sends it again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice_proto_nfs::rpc::CallFault;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::call::{Call, Endpoint};
use crate::connection::Connections;
use crate::datagram_socket::{DatagramSocket, Origin};
use crate::dispatch;
use crate::engine::Engine;
use crate::limits::DATAGRAM_LENGTH_MAX;
use crate::reply::Reply;

/// How long receiving waits after an error, so that one that lasts does not keep a processor busy.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Serves a socket until the gateway stops.
pub(crate) async fn serve(shared: Connections, socket: DatagramSocket, endpoint: Endpoint) {
    let socket = Arc::new(socket);
    let places = Arc::new(Semaphore::new(shared.limits.datagrams_max.max(1)));
    // One byte more than allowed, so that longer datagrams are noticed.
    let mut buffer = vec![0; DATAGRAM_LENGTH_MAX + 1];
    loop {
        let received = tokio::select! {
            () = shared.draining.cancelled() => return,
            received = socket.receive(&mut buffer) => received,
        };
        let (length, origin) = match received {
            Ok(received) => received,
            Err(error) => {
                // Such as the network's answer that an earlier reply could not be delivered.
                tracing::debug!(%error, "datagram not received");
                sleep(ERROR_PAUSE).await;
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
            answer(&engine, &socket, record, origin, endpoint).await;
            drop(place);
        });
    }
}

async fn answer(
    engine: &Arc<Engine>,
    socket: &DatagramSocket,
    record: Bytes,
    origin: Origin,
    endpoint: Endpoint,
) {
    let reply = match Call::parse(record, origin.peer, origin.server(), endpoint) {
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
    if let Err(error) = socket.answer(&reply.into_datagram(), origin).await {
        tracing::debug!(peer = %origin.peer, %error, "datagram not sent");
    }
}
