//! Whether what clients meet can serve them: looked at twice a second, so that `/readyz` need not ask anybody.

use std::sync::Arc;
use std::time::Duration;

use sluice_types::{ClusterMap, FsError, MapVersion, TargetState};
use sluice_wire::meta::{CallContext, GetMap, Metadata, MetadataExt as _};

use super::Background;
use crate::health::{Condition, Readiness};

const INTERVAL: Duration = Duration::from_millis(500);

/// What must hold for clients to be served.
#[derive(Clone, Debug)]
pub struct FrontConditions {
    metadata: Condition,
    targets: Condition,
    nfs: Condition,
}

impl FrontConditions {
    /// None of them holds yet.
    pub fn new(readiness: &Readiness) -> Self {
        Self {
            metadata: readiness.condition("metadata"),
            targets: readiness.condition("targets"),
            nfs: readiness.condition("nfs"),
        }
    }

    /// NFS is served.
    pub fn serving(&self) {
        self.nfs.met();
    }

    /// NFS is served no more.
    pub fn stopping(&self) {
        self.nfs.unmet("stopping");
    }

    /// Asks the metadata service for the cluster's state.
    pub async fn look(&self, metadata: &dyn Metadata) {
        let known = MapVersion::new(0);
        match metadata
            .run(&CallContext::internal(), GetMap { known })
            .await
        {
            Ok(map) => {
                self.metadata.met();
                self.targets.set(targets_state(&map));
            }
            Err(FsError::Unavailable) => {
                let why = "it does not answer, or the cluster is not formed yet";
                self.metadata.unmet(why);
                self.targets.unmet("not known");
            }
            Err(error) => self.metadata.unmet(error.to_string()),
        }
    }
}

/// Whether every target can be asked.
fn targets_state(map: &ClusterMap) -> Result<(), String> {
    let silent = map
        .targets
        .iter()
        .filter(|target| target.state == TargetState::Offline);
    let silent: Vec<String> = silent.map(|target| target.id.to_string()).collect();
    if silent.is_empty() {
        Ok(())
    } else {
        Err(format!("offline: {}", silent.join(", ")))
    }
}

/// Looks again and again, until dropped.
pub fn watch_in_background(metadata: Arc<dyn Metadata>, conditions: FrontConditions) -> Background {
    Background::spawn(async move {
        loop {
            conditions.look(metadata.as_ref()).await;
            tokio::time::sleep(INTERVAL).await;
        }
    })
}

#[cfg(test)]
mod tests {
    use sluice_types::{Target, TargetId, TargetUuid};

    use super::*;

    #[test]
    fn a_silent_target_is_named() {
        let target = |id, state| Target {
            id: TargetId::new(id),
            uuid: TargetUuid::new(u128::from(id)),
            address: String::new(),
            state,
        };
        let mut map = ClusterMap {
            targets: vec![
                target(1, TargetState::Online),
                target(2, TargetState::Syncing),
            ],
            ..ClusterMap::default()
        };
        assert_eq!(targets_state(&map), Ok(()));
        map.targets.push(target(7, TargetState::Offline));
        assert_eq!(targets_state(&map), Err("offline: 7".to_owned()));
    }
}
