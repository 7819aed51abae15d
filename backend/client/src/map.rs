//! Newer cluster maps: asked for when a target or a renewal tells that there is one, by one caller at a time.

use std::sync::Arc;

use sluice_types::{ClusterMap, FsError, MapVersion};
use sluice_wire::meta::{CallContext, GetMap, MetadataExt};

use crate::Client;
use crate::metrics;

impl Client {
    /// Sees to it that the map is newer than `known`, if there is a newer one.
    pub(crate) async fn refresh_map(&self, known: MapVersion) -> Result<(), FsError> {
        let _turn = self.refreshing.lock().await;
        if self.map().version > known {
            return Ok(());
        }
        let map = self
            .meta
            .run(&CallContext::internal(), GetMap { known })
            .await?;
        self.install(map);
        Ok(())
    }

    fn install(&self, map: ClusterMap) {
        let mut current = self.map.write();
        if map.version > current.version || current.groups.is_empty() {
            tracing::info!(version = %map.version, targets = map.targets.len(), "a new cluster map");
            metrics::map_version(map.version);
            *current = Arc::new(map);
        }
    }
}
