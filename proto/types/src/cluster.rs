//! The cluster map: which targets there are and which groups they form.

use crate::{FileSystemId, GroupId, Layout, MapVersion, TargetId, TargetUuid};

/// What a target is good for at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// In service.
    Online,
    /// Back after an absence, receiving what it missed.
    Syncing,
    /// Silent; requests do not go there.
    Offline,
    /// Being emptied on an administrator's order.
    Draining,
}

/// A storage target as the map shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its number in the cluster.
    pub id: TargetId,
    /// Its directory's own name.
    pub uuid: TargetUuid,
    /// Where its daemon serves the data plane, `host:port`; empty in the same process.
    pub address: String,
    /// What it is good for.
    pub state: TargetState,
}

/// An ordered list of replicas: the head orders writes, each forwards to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementGroup {
    /// The group's number: its position in [`ClusterMap::groups`].
    pub id: GroupId,
    /// Its replicas, head first.
    pub replicas: Vec<TargetId>,
}

/// Which targets there are and which groups they form. Versioned: a request made with an old
/// version is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterMap {
    /// Grows with each change.
    pub version: MapVersion,
    /// The file system that the cluster holds.
    pub file_system: FileSystemId,
    /// All targets, by ascending id.
    pub targets: Vec<Target>,
    /// All groups; group `g` is at index `g`. Their number is fixed when the cluster is formed; neighbours
    /// lie on different targets, so that a file's successive chunks do.
    pub groups: Vec<PlacementGroup>,
}

impl ClusterMap {
    /// The target of that number.
    pub fn target(&self, id: TargetId) -> Option<&Target> {
        let position = self.targets.binary_search_by_key(&id, |target| target.id);
        position.ok().map(|position| &self.targets[position])
    }

    /// The group of that number.
    pub fn group(&self, id: GroupId) -> Option<&PlacementGroup> {
        self.groups.get(id.raw() as usize)
    }

    /// The targets that may hold chunks of a file with this layout, ascending, each once.
    pub fn targets_of(&self, layout: &Layout) -> Vec<TargetId> {
        let mut targets: Vec<TargetId> = layout
            .groups(self.groups.len())
            .filter_map(|group| self.group(group))
            .flat_map(|group| group.replicas.iter().copied())
            .collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}
