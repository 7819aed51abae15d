//! One request to one target, tried until it is answered, refused for good, or out of time.
//!
//! All operations on data may be carried out twice with the same effect (a write writes the same bytes), so
//! a request whose outcome is unknown is simply sent again. What is refused for good: anything that
//! the target itself decided (no space, an I/O error, a fenced session). Everything else is tried again after
//! a pause, with a newer map where the map may be at fault.
//!
//! A target that the map says is out of service is not asked, and a request that is with it when the map comes to say so is
//! given up. Such a request ends after [`crate::ClientConfig::out_of_service_wait`], if the metadata service
//! says then that its target is still out of service: its caller tries again later, and holds nothing meanwhile.

use std::time::Duration;

use sluice_fabric::{FabricError, Reply, Request};
use sluice_types::{BootId, ClusterMap, FsError, MapVersion, Payload, Target, TargetId};
use sluice_wire::storage::{StorageOperation, StorageOutcome, StorageRequest};
use tokio::time::timeout;

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
    TryAgain(Setback),
}

/// Why a try is to be followed by another.
struct Setback {
    error: FsError,
    reason: &'static str,
    map: MapDoubt,
}

/// What a failed try says of the map by which it was made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MapDoubt {
    /// It is not at fault.
    None,
    /// A newer one may lead elsewhere.
    Suspect,
    /// It has no target in service for the request.
    NoTarget,
}

impl Verdict {
    fn try_again(error: FsError, reason: &'static str, map: MapDoubt) -> Self {
        Self::TryAgain(Setback { error, reason, map })
    }
}

impl Client {
    /// Carries out `operation` where `route` leads, within the usual deadline.
    ///
    /// # Errors
    /// The target's refusal; [`FsError::Unavailable`] (or [`FsError::Busy`]) when time is up, or when the target has been
    /// out of service for a while.
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
        let index = operation.index();
        let started = self.clock.monotonic();
        let request = Request {
            header: StorageRequest {
                target: TargetId::UNREGISTERED,
                map_version: MapVersion::default(),
                session: self.session(),
                fence_epoch: self.fence_epoch(),
                operation,
            },
            payload,
        };
        let result = self.try_until(started, deadline, route, request).await;
        let took = self.clock.monotonic().saturating_sub(started);
        self.metrics.request(index, took, result.is_ok());
        result
    }

    async fn try_until(
        &self,
        started: Duration,
        deadline: Duration,
        route: Route<'_>,
        mut request: Request,
    ) -> Result<Answer, FsError> {
        let name = request.header.operation.name();
        let end = started + deadline;
        let mut pause = self.config.backoff_min;
        loop {
            let map = self.map();
            let setback = match self.try_once(&map, route, &mut request, end).await {
                Verdict::Answered(answer) => return Ok(answer),
                Verdict::Refused(error) => return Err(error),
                Verdict::TryAgain(setback) => setback,
            };
            let Setback { error, reason, .. } = setback;
            let half = pause / 2;
            let wait = half + half.mul_f64(self.chance());
            let now = self.clock.monotonic();
            if now + wait >= end {
                tracing::warn!(operation = name, reason, "storage did not answer in time");
                return Err(error);
            }
            metrics::retry(name, reason);
            let current = setback.map != MapDoubt::None
                && self.renew_map_within(end - now, map.version).await;
            // With a newer map there is nothing to wait for.
            if self.map().version != map.version {
                continue;
            }
            let waited = self.clock.monotonic().saturating_sub(started);
            let no_target = setback.map == MapDoubt::NoTarget && current;
            if no_target && waited >= self.config.out_of_service_wait {
                tracing::debug!(operation = name, "the target is out of service");
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(self.config.backoff_max);
        }
    }

    /// Whether the map is the current one now.
    async fn renew_map_within(&self, left: Duration, known: MapVersion) -> bool {
        match timeout(left, self.refresh_map(known)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no newer map could be had");
                false
            }
            Err(_) => false,
        }
    }

    async fn try_once(
        &self,
        map: &ClusterMap,
        route: Route<'_>,
        request: &mut Request,
        end: Duration,
    ) -> Verdict {
        if self.ended.is_cancelled() {
            return Verdict::Refused(FsError::SessionLapsed);
        }
        let target = match route.target(map) {
            Ok(target) => target,
            Err(error) => return Verdict::try_again(error, "no_target", MapDoubt::NoTarget),
        };
        request.header.target = target.id;
        request.header.map_version = map.version;
        request.header.fence_epoch = self.fence_epoch();
        tokio::select! {
            biased;
            verdict = self.send(target, request.clone(), end) => verdict,
            () = self.led_elsewhere(route, target) => {
                Verdict::try_again(FsError::Unavailable, "map_changed", MapDoubt::Suspect)
            }
        }
    }

    /// Sends `request` when there is room for it.
    async fn send(&self, target: &Target, request: Request, end: Duration) -> Verdict {
        let left = || end.saturating_sub(self.clock.monotonic());
        let reply = request.header.operation.reply_payload_bytes_max() as usize;
        let room = self
            .budget
            .take(target.id, request.payload.len().max(reply));
        let _room = match timeout(left(), room).await {
            Ok(Ok(room)) => room,
            Ok(Err(error)) => return Verdict::Refused(error),
            Err(_) => return Verdict::try_again(FsError::Busy, "no_room", MapDoubt::None),
        };
        let called = self.transport.call(&target.address, request, left()).await;
        match called {
            Ok(reply) => self.judge_reply(target.id, reply),
            Err(error) => judge_failure(target.id, &error),
        }
    }

    /// Ends when the map leads to another target than `to`, or to none.
    async fn led_elsewhere(&self, route: Route<'_>, to: &Target) {
        let mut maps = self.map.subscribe();
        let elsewhere = maps.wait_for(|map| {
            let target = route.target(map);
            !target.is_ok_and(|target| target.id == to.id && target.address == to.address)
        });
        // The sender lives as long as the client.
        let _ = elsewhere.await;
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
            Err(FsError::MapOutdated) => {
                Verdict::try_again(FsError::Unavailable, "map_outdated", MapDoubt::Suspect)
            }
            Err(error @ FsError::Unavailable) => {
                Verdict::try_again(error, "unavailable", MapDoubt::Suspect)
            }
            Err(error @ FsError::Busy) => Verdict::try_again(error, "busy", MapDoubt::None),
            Err(error) => Verdict::Refused(error),
        }
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
        | FabricError::ShuttingDown => {
            Verdict::try_again(error.into(), error.kind(), MapDoubt::Suspect)
        }
    }
}
