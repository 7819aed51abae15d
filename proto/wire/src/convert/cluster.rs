//! The cluster map. What comes in is checked as a whole: targets ascend, and groups name only targets
//! that are there, so that a lookup in a map can rely on both.

use sluice_types::{ClusterMap, GroupId, PlacementGroup, ReplicaCount, Target, TargetState};

use super::{Field, enumeration, message, message_field};
use crate::WireError;
use crate::generated::common::v1 as common;

enumeration!(TargetState = common::TargetState, "a state of a target" {
    Online, Syncing, Offline, Draining,
});

message!(
    Target = common::Target {
        id,
        uuid,
        address,
        state
    }
);

impl From<ClusterMap> for common::ClusterMap {
    fn from(map: ClusterMap) -> Self {
        let group = |group: PlacementGroup| common::PlacementGroup {
            replicas: group.replicas.to_wire(),
        };
        Self {
            version: map.version.to_wire(),
            file_system: map.file_system.to_wire(),
            targets: map.targets.to_wire(),
            groups: map.groups.into_iter().map(group).collect(),
        }
    }
}

impl TryFrom<common::ClusterMap> for ClusterMap {
    type Error = WireError;

    fn try_from(message: common::ClusterMap) -> Result<Self, WireError> {
        let targets: Vec<Target> = Field::from_wire(message.targets, "targets")?;
        let descending = targets.windows(2).find(|pair| pair[0].id >= pair[1].id);
        if let Some(pair) = descending {
            let found = format!("{} after {}", pair[1].id, pair[0].id);
            return Err(WireError::invalid("targets", "in ascending order", found));
        }
        let mut map = Self {
            version: Field::from_wire(message.version, "version")?,
            file_system: Field::from_wire(message.file_system, "file_system")?,
            targets,
            groups: Vec::with_capacity(message.groups.len()),
        };
        for (index, group) in message.groups.into_iter().enumerate() {
            let group = group_of(&map, index, group)?;
            map.groups.push(group);
        }
        Ok(map)
    }
}

message_field!(ClusterMap = common::ClusterMap);

fn group_of(
    map: &ClusterMap,
    index: usize,
    message: common::PlacementGroup,
) -> Result<PlacementGroup, WireError> {
    let index = u32::try_from(index)
        .map_err(|_| WireError::invalid("groups", "at most 2^32 groups", index))?;
    let count = message.replicas.len();
    let fits = u32::try_from(count).is_ok_and(|copies| ReplicaCount::new(copies).is_ok());
    if !fits {
        return Err(WireError::invalid("replicas", "1 to 3 targets", count));
    }
    let group = PlacementGroup {
        id: GroupId::new(index),
        replicas: Field::from_wire(message.replicas, "replicas")?,
    };
    match group.replicas.iter().find(|id| map.target(**id).is_none()) {
        Some(id) => Err(WireError::invalid("replicas", "targets of the map", id)),
        None => Ok(group),
    }
}
