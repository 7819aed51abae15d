//! Which targets form which groups, when a cluster is formed.

use std::collections::BTreeMap;

use sluice_types::{GroupId, PlacementGroup, Target, TargetId};

/// Groups of one replica over all targets in turn: each target has its equal share of them, and neighbours lie on
/// different targets, on different daemons as far as there are several. At least one group for each target.
pub(super) fn groups(targets: &[Target], group_count: u32) -> Vec<PlacementGroup> {
    let order = alternate_daemons(targets);
    let group_count = group_count.max(u32::try_from(order.len()).unwrap_or(u32::MAX));
    let numbers = (0..group_count).zip(order.iter().cycle());
    numbers
        .map(|(number, target)| PlacementGroup {
            id: GroupId::new(number),
            replicas: vec![*target],
        })
        .collect()
}

/// All targets: the first of each daemon, then the second of each, and so on.
fn alternate_daemons(targets: &[Target]) -> Vec<TargetId> {
    let mut by_daemon: BTreeMap<&str, Vec<TargetId>> = BTreeMap::new();
    for target in targets {
        by_daemon
            .entry(&target.address)
            .or_default()
            .push(target.id);
    }
    let most = by_daemon.values().map(Vec::len).max().unwrap_or(0);
    (0..most)
        .flat_map(|turn| by_daemon.values().filter_map(move |of| of.get(turn)))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_types::{TargetState, TargetUuid};

    fn target(id: u32, address: &str) -> Target {
        Target {
            id: TargetId::new(id),
            uuid: TargetUuid::new(u128::from(id)),
            address: address.into(),
            state: TargetState::Online,
        }
    }

    fn replicas(groups: &[PlacementGroup]) -> Vec<u32> {
        groups.iter().map(|group| group.replicas[0].raw()).collect()
    }

    #[test]
    fn neighbours_lie_on_different_daemons() {
        let targets = [
            target(1, "a"),
            target(2, "a"),
            target(3, "b"),
            target(4, "b"),
        ];
        let groups = groups(&targets, 8);
        assert_eq!(replicas(&groups), [1, 3, 2, 4, 1, 3, 2, 4]);
        assert!(
            groups
                .iter()
                .enumerate()
                .all(|(at, group)| group.id.raw() as usize == at)
        );
    }

    #[test]
    fn each_target_has_a_group() {
        let targets = [target(1, ""), target(2, ""), target(3, "")];
        assert_eq!(replicas(&groups(&targets, 1)), [1, 2, 3]);
        assert_eq!(replicas(&groups(&targets, 4)), [1, 2, 3, 1]);
    }
}
