//! Which target a request goes to: the one place that knows of replicas and states.

use sluice_types::{
    ChunkIndex, ClusterMap, FsError, Layout, PlacementGroup, Target, TargetId, TargetState,
};

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route<'a> {
    /// To the target that orders the chunk's writes.
    ToWrite(&'a Layout, ChunkIndex),
    /// To a target that holds the chunk.
    ToRead(&'a Layout, ChunkIndex),
    /// To this target.
    To(TargetId),
}

impl Route<'_> {
    /// The target by this map.
    ///
    /// # Errors
    /// [`FsError::Unavailable`] if there is none in service; another map may have one.
    pub(crate) fn target<'m>(&self, map: &'m ClusterMap) -> Result<&'m Target, FsError> {
        match *self {
            Self::ToWrite(layout, chunk) => {
                let head = group(map, layout, chunk)?.replicas.first();
                in_service(map, *head.ok_or(FsError::Unavailable)?)
            }
            Self::ToRead(layout, chunk) => {
                let replicas = group(map, layout, chunk)?.replicas.iter();
                let mut serving = replicas.filter_map(|id| in_service(map, *id).ok());
                // A target that is still receiving what it missed may lack the chunk's last change.
                serving
                    .find(|target| target.state != TargetState::Syncing)
                    .ok_or(FsError::Unavailable)
            }
            Self::To(id) => in_service(map, id),
        }
    }
}

fn group<'m>(
    map: &'m ClusterMap,
    layout: &Layout,
    chunk: ChunkIndex,
) -> Result<&'m PlacementGroup, FsError> {
    if map.groups.is_empty() {
        return Err(FsError::Unavailable);
    }
    let id = layout.group_of(chunk, map.groups.len());
    map.group(id).ok_or(FsError::Unavailable)
}

fn in_service(map: &ClusterMap, id: TargetId) -> Result<&Target, FsError> {
    let target = map.target(id).ok_or(FsError::Unavailable)?;
    match target.state {
        TargetState::Online | TargetState::Syncing | TargetState::Draining => Ok(target),
        TargetState::Offline => Err(FsError::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use sluice_types::{FileSystemId, GroupId, MapVersion, TargetUuid};

    use super::*;

    fn map(states: &[TargetState]) -> ClusterMap {
        let target = |(index, state): (usize, &TargetState)| Target {
            id: TargetId::new(index as u32 + 1),
            uuid: TargetUuid::new(0),
            address: String::new(),
            state: *state,
        };
        let targets: Vec<_> = states.iter().enumerate().map(target).collect();
        let replicas = targets.iter().map(|target| target.id).collect();
        ClusterMap {
            version: MapVersion::new(1),
            file_system: FileSystemId::new(1),
            targets,
            groups: vec![PlacementGroup {
                id: GroupId::new(0),
                replicas,
            }],
        }
    }

    #[test]
    fn reads_go_to_who_has_all_and_writes_to_the_head() {
        use TargetState::{Draining, Offline, Online, Syncing};
        let layout = Layout::DEFAULT;
        let read = Route::ToRead(&layout, ChunkIndex::new(5));
        let write = Route::ToWrite(&layout, ChunkIndex::new(5));
        let raw = |target: Result<&Target, FsError>| target.map(|target| target.id.raw());
        let away = Err(FsError::Unavailable);
        assert_eq!(raw(read.target(&map(&[Offline, Syncing, Online]))), Ok(3));
        assert_eq!(raw(read.target(&map(&[Offline, Draining]))), Ok(2));
        assert_eq!(raw(read.target(&map(&[Offline, Syncing]))), away);
        assert_eq!(raw(write.target(&map(&[Online, Online]))), Ok(1));
        assert_eq!(raw(write.target(&map(&[Offline, Online]))), away);
        assert_eq!(raw(write.target(&ClusterMap::default())), away);
        assert_eq!(
            raw(Route::To(TargetId::new(9)).target(&map(&[Online]))),
            away
        );
    }
}
