//! What `/readyz` of a gateway (and of `sluice up`) rests on. The cluster map is asked for twice a second and what it says is
//! noted, so that answering a load balancer never waits for the metadata service.

use std::sync::Arc;
use std::time::Duration;

use sluice_types::{ClusterMap, FsError, MapVersion, TargetState};
use sluice_wire::meta::{CallContext, GetMap, Metadata, MetadataExt as _};

use super::Background;
use crate::health::{Condition, Readiness};

/// How often the map is asked for.
const INTERVAL: Duration = Duration::from_millis(500);

/// What must hold for a gateway to be ready.
#[derive(Clone, Debug)]
pub struct FrontConditions {
    /// The metadata service answers, and its cluster is formed.
    metadata: Condition,
    /// Every storage daemon is heard of.
    targets: Condition,
    /// Clients can connect.
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

    /// Clients can connect from now on.
    pub fn serving(&self) {
        self.nfs.met();
    }

    /// Clients cannot connect any more.
    pub fn stopping(&self) {
        self.nfs.unmet("stopping");
    }

    /// Asks the metadata service for the map, and notes what that tells.
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
            Err(error) => {
                self.metadata.unmet(match error {
                    FsError::Unavailable => UNAVAILABLE.to_owned(),
                    other => other.to_string(),
                });
                self.targets
                    .unmet("not known while metadata does not answer");
            }
        }
    }
}

/// All of these look the same from here.
const UNAVAILABLE: &str = "it does not answer, has another cluster key (this log says so), the cluster is not formed yet, or its store has failed \
     (its log says so)";

/// Whether every target's daemon is heard of. A target that is being synced or drained serves like any other.
fn targets_state(map: &ClusterMap) -> Result<(), String> {
    let offline = map
        .targets
        .iter()
        .filter(|target| target.state == TargetState::Offline);
    let offline: Vec<String> = offline.map(|target| target.id.to_string()).collect();
    if offline.is_empty() {
        Ok(())
    } else {
        Err(format!("offline: {}", offline.join(", ")))
    }
}

/// Keeps `conditions` up to date, until dropped.
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
    use async_trait::async_trait;
    use sluice_types::{Target, TargetId, TargetUuid};
    use sluice_wire::meta::{Operation, Outcome};

    use super::*;

    /// Gives every call the same answer.
    struct Answers(Result<ClusterMap, FsError>);

    #[async_trait]
    impl Metadata for Answers {
        async fn call(&self, _: &CallContext, _: Operation) -> Result<Outcome, FsError> {
            self.0.clone().map(Outcome::GetMap)
        }
    }

    #[tokio::test]
    async fn nothing_old_is_told_of_targets_while_metadata_does_not_answer() {
        let readiness = Readiness::new();
        let conditions = FrontConditions::new(&readiness);
        conditions.serving();
        conditions.look(&Answers(Ok(ClusterMap::default()))).await;
        assert!(readiness.is_ready());
        for error in [FsError::Unavailable, FsError::Io] {
            conditions.look(&Answers(Err(error))).await;
            let told = readiness.explanation();
            assert!(told.contains("targets: not known"), "{told}");
            conditions.look(&Answers(Ok(ClusterMap::default()))).await;
            assert!(readiness.is_ready());
        }
    }

    #[test]
    fn a_target_that_is_offline_is_named() {
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
