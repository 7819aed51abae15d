//! One request to one target, tried until it is answered, refused for good, or out of time.
//!
//! All operations on data may be carried out twice with the same effect (a write writes the same bytes), so
//! a request whose outcome is unknown is simply sent again. What is refused for good: anything that
//! the target itself decided (no space, an I/O error, a fenced session). Everything else is tried again after
//! a pause, with a newer map where the map may be at fault.

use std::time::Duration;

use sluice_fabric::{FabricError, Reply, Request};
use sluice_types::{BootId, FsError, MapVersion, Payload, TargetId};
use sluice_wire::storage::{StorageOperation, StorageOutcome, StorageRequest};
use tokio::sync::SemaphorePermit;

use crate::client::BUDGET_PAGE_BYTES;
use crate::route::Route;
use crate::{Client, metrics};

/// What a target answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) target: TargetId,
    pub(crate) boot: BootId,
    pub(crate) outcome: StorageOutcome,
    pub(crate) payload: Payload,
}

/// What becomes of a try.
enum Verdict {
    Answered(Answer),
    Refused(FsError),
    TryAgain {
        error: FsError,
        reason: &'static str,
        map_suspect: bool,
    },
}

impl Client {
    /// Carries out `operation` where `route` leads, within the usual deadline.
    ///
    /// # Errors
    /// The target's refusal; [`FsError::Unavailable`] (or [`FsError::Busy`]) when time is up.
    pub(crate) async fn request(
        &self,
        route: Route<'_>,
        operation: StorageOperation,
        payload: Payload,
    ) -> Result<Answer, FsError> {
        self.request_within(self.config.deadline, route, operation, payload)
            .await
    }

    /// [`Client::request`] with a deadline of its own.
    pub(crate) async fn request_within(
        &self,
        deadline: Duration,
        route: Route<'_>,
        operation: StorageOperation,
        payload: Payload,
    ) -> Result<Answer, FsError> {
        let name = operation.name();
        let started = self.clock.monotonic();
        let request = Request {
            header: StorageRequest {
                target: TargetId::UNREGISTERED,
                map_version: MapVersion::default(),
                session: self.session(),
                operation,
            },
            payload,
        };
        let result = self.try_until(started + deadline, route, request).await;
        let took = self.clock.monotonic().saturating_sub(started);
        metrics::request(name, took, result.as_ref().err().copied());
        result
    }

    async fn try_until(
        &self,
        end: Duration,
        route: Route<'_>,
        mut request: Request,
    ) -> Result<Answer, FsError> {
        let name = request.header.operation.name();
        let mut pause = self.config.backoff_min;
        loop {
            let left = end.saturating_sub(self.clock.monotonic());
            let map_version = self.map().version;
            let (error, reason, map_suspect) = match self.try_once(route, &mut request, left).await
            {
                Verdict::Answered(answer) => return Ok(answer),
                Verdict::Refused(error) => return Err(error),
                Verdict::TryAgain {
                    error,
                    reason,
                    map_suspect,
                } => (error, reason, map_suspect),
            };
            let half = pause / 2;
            let wait = half + half.mul_f64(self.chance());
            if self.clock.monotonic() + wait >= end {
                tracing::warn!(operation = name, reason, "storage did not answer in time");
                return Err(error);
            }
            metrics::retry(name, reason);
            if map_suspect {
                self.renew_map_within(left, map_version).await;
            }
            // With a newer map there is nothing to wait for.
            if self.map().version == map_version {
                tokio::time::sleep(wait).await;
                pause = (pause * 2).min(self.config.backoff_max);
            }
        }
    }

    async fn renew_map_within(&self, left: Duration, known: MapVersion) {
        match tokio::time::timeout(left, self.refresh_map(known)).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::debug!(%error, "no newer map could be had"),
        }
    }

    async fn try_once(&self, route: Route<'_>, request: &mut Request, left: Duration) -> Verdict {
        let map = self.map();
        let target = match route.target(&map) {
            Ok(target) => target,
            Err(error) => {
                let reason = "no_target";
                return Verdict::TryAgain {
                    error,
                    reason,
                    map_suspect: true,
                };
            }
        };
        request.header.target = target.id;
        request.header.map_version = map.version;
        request.header.session = self.session();
        let called = self
            .transport
            .call(&target.address, request.clone(), left)
            .await;
        match called {
            Ok(reply) => self.judge_reply(target.id, reply),
            Err(error) => judge_failure(target.id, &error),
        }
    }

    fn judge_reply(&self, target: TargetId, reply: Reply) -> Verdict {
        let boot = reply.header.boot;
        self.boots.heard(target, boot);
        match reply.header.result {
            Ok(outcome) => Verdict::Answered(Answer {
                target,
                boot,
                outcome,
                payload: reply.payload,
            }),
            Err(FsError::MapOutdated) => Verdict::TryAgain {
                error: FsError::Unavailable,
                reason: "map_outdated",
                map_suspect: true,
            },
            Err(error @ FsError::Unavailable) => Verdict::TryAgain {
                error,
                reason: "unavailable",
                map_suspect: true,
            },
            Err(error @ FsError::Busy) => Verdict::TryAgain {
                error,
                reason: "busy",
                map_suspect: false,
            },
            Err(error) => Verdict::Refused(error),
        }
    }

    /// Waits for room for `bytes` of data under way.
    pub(crate) async fn room(&self, bytes: usize) -> Result<SemaphorePermit<'_>, FsError> {
        let most = self
            .config
            .bytes_in_flight_max
            .div_ceil(BUDGET_PAGE_BYTES)
            .max(1);
        let pages = bytes.div_ceil(BUDGET_PAGE_BYTES).min(most);
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        self.bytes
            .acquire_many(pages)
            .await
            .map_err(|_| FsError::Internal)
    }
}

fn judge_failure(target: TargetId, error: &FabricError) -> Verdict {
    tracing::debug!(%target, %error, "a request had no reply");
    match error {
        FabricError::TooLarge { .. } | FabricError::Protocol { .. } => {
            tracing::error!(%target, %error, "a request cannot be carried");
            Verdict::Refused(error.into())
        }
        FabricError::Unreachable { .. }
        | FabricError::DeadlinePassed { .. }
        | FabricError::Closed { .. }
        | FabricError::ShuttingDown => Verdict::TryAgain {
            error: error.into(),
            reason: error.kind(),
            map_suspect: true,
        },
    }
}
