//! Serves the metadata service over tonic.
//!
//! An operation that has begun is finished even if its caller goes away: it runs in a task of its own, so
//! that a dropped connection cannot end it half way. Bounds: [`ServeOptions::operations_in_flight_max`]
//! operations at once, each with a message of at most [`MESSAGE_BYTES_MAX`]; further calls wait, which holds
//! back their connections. What the cluster lives by (renewals, reports, maps) has places of its own: a tree that is slow
//! to answer makes nobody look dead.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::transport::server::{Router, Server};
use tonic::{Request, Response, Status};

use super::incoming::incoming;
use super::messages::{reply_to_message, request_from_message};
use super::{CallContext, Metadata, Operation};
use crate::generated::meta::v1 as message;
use crate::links::Links;
use message::metadata_server::{Metadata as MetadataService, MetadataServer};

/// The largest message, in bytes. The largest that the service makes is a page of inodes or entries,
/// which its own limits keep far below.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How the metadata service is served.
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// Operations carried out at once; more wait.
    pub operations_in_flight_max: usize,
    /// Of [`Operation::is_cluster_upkeep`], carried out at once beside those; more wait.
    pub upkeep_in_flight_max: usize,
    /// Sessions that wait for recalls or granted locks at once, beside those; more wait for their turn.
    pub waits_in_flight_max: usize,
    /// Calls in flight on one connection; more are not read.
    pub calls_per_connection_max: u32,
    /// After how long without a word a connection is probed, and then after as long again given up.
    pub keepalive: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            operations_in_flight_max: 4096,
            upkeep_in_flight_max: 1024,
            waits_in_flight_max: 16_384,
            calls_per_connection_max: 1024,
            keepalive: Duration::from_secs(5),
        }
    }
}

/// Serves `metadata` on `listener` to whoever begins as `links` says, until `shutdown` completes and the calls in flight
/// are answered.
///
/// # Errors
/// Those of the listener.
pub async fn serve(
    metadata: Arc<dyn Metadata>,
    listener: TcpListener,
    links: Links,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let incoming = incoming(listener, links, options.keepalive);
    router(metadata, options)
        .serve_with_incoming_shutdown(incoming, shutdown)
        .await
}

/// A router that serves `metadata`; further services can be added to it.
pub fn router(metadata: Arc<dyn Metadata>, options: ServeOptions) -> Router {
    let service = Service {
        metadata,
        places: Arc::new(Semaphore::new(options.operations_in_flight_max)),
        upkeep_places: Arc::new(Semaphore::new(options.upkeep_in_flight_max)),
        waiting_places: Arc::new(Semaphore::new(options.waits_in_flight_max)),
    };
    let service = MetadataServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    Server::builder()
        .max_concurrent_streams(options.calls_per_connection_max)
        .http2_keepalive_interval(Some(options.keepalive))
        .http2_keepalive_timeout(Some(options.keepalive))
        .add_service(service)
}

impl Operation {
    /// Whether the cluster lives by it: who does not get an answer in time is taken for dead, or takes the service for it.
    fn is_cluster_upkeep(&self) -> bool {
        matches!(
            self,
            Self::GetMap(_)
                | Self::RegisterTargets(_)
                | Self::OpenSession(_)
                | Self::CloseSession(_)
        )
    }
}

struct Service {
    metadata: Arc<dyn Metadata>,
    places: Arc<Semaphore>,
    upkeep_places: Arc<Semaphore>,
    waiting_places: Arc<Semaphore>,
}

#[tonic::async_trait]
impl MetadataService for Service {
    async fn call(
        &self,
        request: Request<message::Request>,
    ) -> Result<Response<message::Reply>, Status> {
        let decoded = request_from_message(request.into_inner());
        let (context, operation) =
            decoded.map_err(|error| Status::invalid_argument(error.to_string()))?;
        let reply = self.carry_out(context, operation).await?;
        Ok(Response::new(reply))
    }
}

impl Service {
    async fn carry_out(
        &self,
        context: CallContext,
        operation: Operation,
    ) -> Result<message::Reply, Status> {
        let places = match &operation {
            Operation::AwaitRecalls(_) | Operation::AwaitLockGrants(_) => &self.waiting_places,
            upkeep if upkeep.is_cluster_upkeep() => &self.upkeep_places,
            _ => &self.places,
        };
        let place = Arc::clone(places).acquire_owned().await;
        let place = place.map_err(|_| Status::unavailable("shutting down"))?;
        let metadata = Arc::clone(&self.metadata);
        let task = tokio::spawn(async move {
            let result = metadata.call(&context, operation).await;
            drop(place);
            result
        });
        // Only a panic of the operation, or the end of the runtime, ends the task without a result.
        let result = task
            .await
            .map_err(|error| Status::internal(format!("the operation ended: {error}")))?;
        Ok(reply_to_message(result))
    }
}
