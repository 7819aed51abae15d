//! How a cluster is.

use futures::future::join_all;
use serde::Serialize;
use sluice_types::{FsError, MapVersion, Target, TargetState};
use sluice_wire::meta::{CallContext, FileSystemStatus, GetMap, MetadataExt as _};
use sluice_wire::storage::{StorageOperation, StorageOutcome, TargetStatus};

use super::Cluster;
use super::activity::{self, SessionLine, WriteLine};

/// How a cluster is.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterStatus {
    /// The file system's own number.
    pub file_system: String,
    /// The version of the cluster map.
    pub map_version: u64,
    /// The number of placement groups.
    pub placement_groups: usize,
    /// Files, directories and all else that has an inode.
    pub inodes_used: u64,
    /// How many more there can be.
    pub inodes_free: u64,
    /// Removed files whose space is still to be freed.
    pub removals_queued: u64,
    /// Of all targets that answered, in bytes.
    pub capacity_bytes: u64,
    /// Of all targets that answered, in bytes.
    pub used_bytes: u64,
    /// The targets.
    pub targets: Vec<TargetLine>,
    /// Who is there: gateways, and what else opened a session.
    pub sessions: Vec<SessionLine>,
    /// Files that are being written: the first ten thousand.
    pub writes: Vec<WriteLine>,
    /// Whether there are more.
    pub writes_cut_off: bool,
}

/// How a target is.
#[derive(Clone, Debug, Serialize)]
pub struct TargetLine {
    /// Its number.
    pub id: u32,
    /// Its directory's own name.
    pub uuid: String,
    /// Where its daemon is; empty in the same process.
    pub address: String,
    /// What the cluster map says of it: `online`, `syncing`, `offline` or `draining`.
    pub state: &'static str,
    /// In how many placement groups it is.
    pub groups: usize,
    /// Its own answer; nothing if it does not answer.
    pub space: Option<TargetSpace>,
    /// Why it does not answer.
    pub error: Option<String>,
}

/// What a target says of itself.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TargetSpace {
    /// Size in bytes.
    pub capacity_bytes: u64,
    /// Space taken in bytes.
    pub used_bytes: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// Data that waits in memory for its COMMIT, in bytes.
    pub unstable_bytes: u64,
    /// Device errors since its start.
    pub device_errors: u64,
    /// Checksum failures since its start.
    pub checksum_errors: u64,
    /// It is out of service.
    pub failed: bool,
}

impl ClusterStatus {
    /// Whether every target is online, answers and has seen no errors.
    pub fn is_healthy(&self) -> bool {
        self.targets.iter().all(|target| {
            let clean = target.space.is_some_and(|space| {
                !space.failed && space.device_errors + space.checksum_errors == 0
            });
            target.state == "online" && clean
        })
    }
}

/// Asks the metadata service and every target.
///
/// # Errors
/// If the metadata service does not answer; a target that does not is part of the answer.
pub async fn status(cluster: &Cluster) -> Result<ClusterStatus, FsError> {
    let context = CallContext::internal();
    let known = MapVersion::new(0);
    let map = cluster.meta.run(&context, GetMap { known }).await?;
    let counts = cluster.meta.run(&context, FileSystemStatus).await?;
    let sessions = activity::sessions(cluster).await?;
    let (writes, writes_cut_off) = activity::writes(cluster, &sessions).await?;
    let lines = map.targets.iter().map(|target| async {
        let in_group = map
            .groups
            .iter()
            .filter(|group| group.replicas.contains(&target.id));
        line(target, in_group.count(), ask(cluster, target).await)
    });
    let targets = join_all(lines).await;
    let sum = |value: fn(&TargetSpace) -> u64| {
        let spaces = targets.iter().filter_map(|target| target.space.as_ref());
        spaces.map(value).sum()
    };
    Ok(ClusterStatus {
        file_system: map.file_system.to_string(),
        map_version: map.version.raw(),
        placement_groups: map.groups.len(),
        inodes_used: counts.inodes_used,
        inodes_free: counts.inodes_free,
        removals_queued: counts.removals_queued,
        capacity_bytes: sum(|space| space.capacity_bytes),
        used_bytes: sum(|space| space.used_bytes),
        targets,
        sessions,
        writes,
        writes_cut_off,
    })
}

async fn ask(cluster: &Cluster, target: &Target) -> Result<TargetStatus, String> {
    match cluster.ask(target, StorageOperation::TargetStatus).await {
        Ok(StorageOutcome::TargetStatus(status)) => Ok(status),
        Ok(_) => Err("answered something else than was asked".to_owned()),
        Err(error) => Err(error),
    }
}

fn line(target: &Target, groups: usize, answer: Result<TargetStatus, String>) -> TargetLine {
    let error = answer.as_ref().err().cloned();
    let space = answer.ok().map(|status| TargetSpace {
        capacity_bytes: status.capacity_bytes,
        used_bytes: status.used_bytes,
        chunks: status.chunks,
        unstable_bytes: status.unstable_bytes,
        device_errors: status.device_errors,
        checksum_errors: status.checksum_errors,
        failed: status.failed,
    });
    TargetLine {
        id: target.id.raw(),
        uuid: target.uuid.to_string(),
        address: target.address.clone(),
        state: state_name(target.state),
        groups,
        space,
        error,
    }
}

fn state_name(state: TargetState) -> &'static str {
    match state {
        TargetState::Online => "online",
        TargetState::Syncing => "syncing",
        TargetState::Offline => "offline",
        TargetState::Draining => "draining",
    }
}
