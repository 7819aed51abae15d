//! The two traits of the data plane and what passes through them.
//!
//! A request is answered once or not at all; requests of one caller may be carried out and answered in any
//! order. Whoever needs an order waits for the first reply before asking again.

use std::time::Duration;

use async_trait::async_trait;
use sluice_types::Payload;
use sluice_wire::storage::{StorageReply, StorageRequest};
use tokio_util::sync::CancellationToken;

use crate::FabricError;

/// A request on its way to a storage target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub header: StorageRequest,
    /// The bytes of a write; empty otherwise.
    pub payload: Payload,
}

/// A reply on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What came of it.
    pub header: StorageReply,
    /// The bytes of a read; empty otherwise.
    pub payload: Payload,
}

impl Request {
    /// The memory that the request's payload or the reply's takes, whichever is larger, in bytes.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        let reply = self.header.operation.reply_payload_bytes_max();
        self.payload.len().max(reply as usize)
    }

    /// Refuses a request with a payload, or for one, over `limit_bytes`.
    pub(crate) fn check_size(&self, limit_bytes: u32) -> Result<(), FabricError> {
        let (bytes, limit_bytes) = (self.payload_bytes_max() as u64, u64::from(limit_bytes));
        if bytes > limit_bytes {
            let what = "payload";
            return Err(FabricError::TooLarge {
                what,
                bytes,
                limit_bytes,
            });
        }
        Ok(())
    }
}

/// Serves requests: a storage daemon, or a test's stand-in for one.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Carries out one request. Called for many requests at once; a caller that went away does not
    /// end a request that has begun, except that the future is dropped when the server is.
    ///
    /// `given_up` is cancelled when nobody waits for the reply any more: the request's deadline has passed, counted
    /// from when its frame was read, or the connection that it came by has ended. What is not begun by then
    /// should not be: the asker may have asked again.
    async fn handle(&self, request: Request, given_up: CancellationToken) -> Reply;
}

/// Carries requests to whoever serves them.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` to the daemon at `address` (`host:port`; empty in the same process) and waits for its
    /// reply, at most for `deadline`. Dropping the future gives up the reply; the request may be
    /// carried out all the same.
    ///
    /// # Errors
    /// A [`FabricError`]; [`FabricError::outcome_unknown`] tells whether the request may have been
    /// carried out. An error of the request itself is in the reply, not here.
    async fn call(
        &self,
        address: &str,
        request: Request,
        deadline: Duration,
    ) -> Result<Reply, FabricError>;
}
