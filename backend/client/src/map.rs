//! Newer cluster maps: asked for when a target or a renewal tells that there is one, by one caller at a time.
//!
//! Whoever waits while another asks takes the answer of the next one to ask, which is newer than its own question: so
//! however many requests wait for a target that is away, the metadata service is asked by one at a time.

use std::sync::Arc;
use std::time::Duration;

use sluice_types::{ClusterMap, FsError, MapVersion};
use sluice_wire::meta::{CallContext, GetMap, MetadataExt};

use crate::Client;

/// How asking for a newer map ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refreshed {
    /// When it was asked for (monotonic).
    asked_at: Duration,
    outcome: Result<(), FsError>,
}

impl Client {
    /// Sees to it that the map is newer than `known`, if there is a newer one.
    pub(crate) async fn refresh_map(&self, known: MapVersion) -> Result<(), FsError> {
        let came_at = self.clock.monotonic();
        let mut last = self.refreshing.lock().await;
        if self.map().version > known {
            return Ok(());
        }
        if let Some(last) = last.filter(|last| last.asked_at > came_at) {
            return last.outcome;
        }
        let asked_at = self.clock.monotonic();
        let context = CallContext::internal();
        let map = self.meta.run(&context, GetMap { known }).await;
        let outcome = map.map(|map| self.install(map));
        *last = Some(Refreshed { asked_at, outcome });
        outcome
    }

    fn install(&self, map: ClusterMap) {
        self.map.send_if_modified(|current| {
            let newer = map.version > current.version || current.groups.is_empty();
            if newer {
                tracing::info!(version = %map.version, targets = map.targets.len(), "a new cluster map");
                self.metrics.map_version(map.version);
                *current = Arc::new(map);
            }
            newer
        });
    }
}
