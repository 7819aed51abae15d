//! Requests of the data plane, routed to the target they ask for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use metrics::counter;
use sluice_fabric::{CancellationToken, Handler, Reply, Request};
use sluice_types::{BootId, FsError, MapVersion, Payload};
use sluice_wire::storage::{StorageReply, StorageRequest};

use crate::fences::Fences;
use crate::operations::carry_out;
use crate::{Targets, metrics as names};

/// Serves the targets of one process. Any number of requests are carried out at once; what bounds them is the
/// fabric in front and each store's budget behind.
#[derive(Debug)]
pub struct StorageService {
    targets: Arc<Targets>,
    /// The newest map version the reporter has seen: an asker with an older one may be asking the wrong target.
    map_version: AtomicU64,
    pub(crate) fences: Arc<Fences>,
}

impl StorageService {
    /// Serves `targets`.
    pub fn new(targets: Arc<Targets>) -> Arc<Self> {
        Arc::new(Self {
            targets,
            map_version: AtomicU64::new(0),
            fences: Fences::new(),
        })
    }

    /// The targets it serves.
    pub fn targets(&self) -> &Arc<Targets> {
        &self.targets
    }

    /// The newest cluster map this daemon knows of; zero before the cluster was formed.
    pub fn map_version(&self) -> MapVersion {
        MapVersion::new(self.map_version.load(Ordering::Acquire))
    }

    pub(crate) fn learn_map_version(&self, version: MapVersion) {
        self.map_version.fetch_max(version.raw(), Ordering::AcqRel);
    }

    /// Whether an asker with this map version may ask; zero asks whatever the map.
    fn check_map(&self, asked: MapVersion) -> Result<(), FsError> {
        if asked != MapVersion::default() && asked < self.map_version() {
            counter!(names::REFUSED, "reason" => "map_outdated").increment(1);
            return Err(FsError::MapOutdated);
        }
        Ok(())
    }
}

#[async_trait]
impl Handler for StorageService {
    async fn handle(&self, request: Request, given_up: CancellationToken) -> Reply {
        let StorageRequest {
            target,
            map_version,
            session,
            fence_epoch,
            operation,
        } = request.header;
        let store = match self.targets.store(target) {
            Ok(store) => store,
            Err(reason) => {
                counter!(names::REFUSED, "reason" => reason).increment(1);
                return refusal(BootId::default(), FsError::Unavailable);
            }
        };
        if let Err(error) = self.check_map(map_version) {
            return refusal(store.boot(), error);
        }
        let pass = match self.fences.enter(session, fence_epoch, &given_up).await {
            Ok(pass) => pass,
            Err(error) => {
                counter!(names::REFUSED, "reason" => "fenced").increment(1);
                return refusal(store.boot(), error);
            }
        };
        let begun = given_up.child_token();
        let work = carry_out(store, operation, request.payload, &begun);
        tokio::pin!(work);
        let done = tokio::select! {
            biased;
            done = &mut work => done,
            () = pass.fenced() => {
                begun.cancel();
                work.await
            }
        };
        match done {
            Ok((outcome, payload)) => Reply {
                header: StorageReply {
                    boot: store.boot(),
                    result: Ok(outcome),
                },
                payload,
            },
            Err(error) => refusal(store.boot(), FsError::from(&error)),
        }
    }
}

fn refusal(boot: BootId, error: FsError) -> Reply {
    Reply {
        header: StorageReply {
            boot,
            result: Err(error),
        },
        payload: Payload::new(),
    }
}
