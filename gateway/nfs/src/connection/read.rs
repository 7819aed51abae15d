//! The reader of a connection: takes records, waits for permits, starts calls.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use sluice_proto_nfs::rpc::CallFault;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::records::{Ended, Record, Records};
use super::{Connections, Finished};
use crate::admission::{Charge, ConnectionAdmission};
use crate::call::{Call, Endpoint};
use crate::dispatch;
use crate::limits::READ_AHEAD_LENGTH;
use crate::reply::Reply;

/// The reader of a connection.
pub(super) struct Reader<'a> {
    pub(super) shared: &'a Connections,
    pub(super) stream: OwnedReadHalf,
    pub(super) peer: SocketAddr,
    /// The address of this machine that the client connected to.
    pub(super) server: Option<IpAddr>,
    pub(super) endpoint: Endpoint,
    pub(super) admission: ConnectionAdmission,
    pub(super) replies: mpsc::Sender<Finished>,
}

impl Reader<'_> {
    /// Takes calls until the connection ends, and says why it did.
    pub(super) async fn run(mut self, closed: &CancellationToken) -> (OwnedReadHalf, Ended) {
        let draining = self.shared.draining.clone();
        let Err(ended) = tokio::select! {
            () = closed.cancelled() => Err(Ended::Stopped),
            () = draining.cancelled() => Err(Ended::Stopped),
            ended = self.take_calls(closed) => ended,
        };
        (self.stream, ended)
    }

    async fn take_calls(&mut self, closed: &CancellationToken) -> Result<Infallible, Ended> {
        let limits = &self.shared.limits;
        let mut records = Records::new(limits.record, limits.stall_timeout);
        loop {
            let complete = match records.read(&mut self.stream, &self.admission).await {
                Ok(complete) => complete,
                Err(ended) => {
                    self.count(&ended);
                    return Err(ended);
                }
            };
            for record in complete {
                self.take(record, closed).await?;
            }
        }
    }

    /// Starts a record's call, as soon as the limits allow.
    async fn take(&self, record: Record, closed: &CancellationToken) -> Result<(), Ended> {
        match Call::parse(record.bytes, self.peer, self.server, self.endpoint) {
            Ok(call) => self.start(call, record.charge, closed.clone()).await,
            Err(CallFault::Rejected(header)) => {
                self.shared.engine.metrics.malformed.increment(1);
                self.send(Reply::without_results(header), record.charge)
                    .await;
            }
            Err(CallFault::NotACall(error)) => {
                let ended = Ended::NotACall(error);
                self.count(&ended);
                return Err(ended);
            }
        }
        Ok(())
    }

    async fn start(&self, call: Call, charge: Option<Charge>, closed: CancellationToken) {
        let charge = match (charge, call.reply_length_max()) {
            // Small replies are part of what every call is allowed, so that they go on where large ones wait.
            (None, length) if length > READ_AHEAD_LENGTH => self.admission.charge(length).await,
            (charge, _) => charge,
        };
        let Some(admitted) = self.admission.admit(charge).await else {
            return;
        };
        let (engine, replies) = (self.shared.engine.clone(), self.replies.clone());
        let session = self.shared.session;
        let call = call.in_session(session);
        self.shared.tasks.spawn(async move {
            // A call on a connection that was dropped meanwhile is not begun: the client will send it again.
            if closed.is_cancelled() {
                return;
            }
            let reply = dispatch::serve(&engine, call).await;
            if engine.files.session() != session {
                // Its client sends it again, and is answered by whoever can.
                closed.cancel();
                return;
            }
            let _ = replies.send(Finished { reply, admitted }).await;
        });
    }

    async fn send(&self, reply: Reply, charge: Option<Charge>) {
        if let Some(admitted) = self.admission.admit(charge).await {
            let _ = self.replies.send(Finished { reply, admitted }).await;
        }
    }

    fn count(&self, ended: &Ended) {
        let metrics = &self.shared.engine.metrics;
        match ended {
            Ended::Malformed(_) | Ended::NotACall(_) | Ended::Cut => metrics.malformed.increment(1),
            Ended::Stalled => metrics.stalled.increment(1),
            Ended::Closed | Ended::Stopped | Ended::Socket(_) => {}
        }
    }
}
