//! What can be set of the metadata service.

use std::time::Duration;

use sluice_types::Layout;

/// The metadata service's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaConfig {
    /// How many targets must have registered before the cluster is formed.
    pub initial_targets: u32,
    /// How many placement groups the cluster is formed with; at least one for each target. Fixed for ever
    /// when it is formed.
    pub placement_groups: u32,
    /// The layout of the root directory when the file system is made.
    pub root_layout: Layout,
    /// A target that was not heard of for so long is shown as offline.
    pub target_silence_max: Duration,
    /// How long a session lives unless renewed.
    pub session_lifetime: Duration,
    /// Whether all who could hold a session are started together with the service, so that none is left from before.
    pub forget_sessions: bool,
    /// How long replies of calls that must not be done twice are kept. Longer than a client takes to send a call again.
    pub replies_kept: Duration,
    /// How many of them are kept at most; beyond, the oldest go. 80 bytes of memory and up to about 1 KiB of disk each.
    pub replies_max: usize,
    /// How many operations run at once; more wait. With the largest writes of one operation, this bounds
    /// the memory for commits that are not durable yet.
    pub operations_in_flight_max: usize,
}

impl Default for MetaConfig {
    /// Four targets, 64 groups, 10 s of silence, sessions of 5 s, two million replies for 120 s, 4096 operations at once.
    fn default() -> Self {
        Self {
            initial_targets: 4,
            placement_groups: 64,
            root_layout: Layout::DEFAULT,
            target_silence_max: Duration::from_secs(10),
            session_lifetime: Duration::from_secs(5),
            forget_sessions: false,
            replies_kept: Duration::from_secs(120),
            replies_max: 2_000_000,
            operations_in_flight_max: 4096,
        }
    }
}
