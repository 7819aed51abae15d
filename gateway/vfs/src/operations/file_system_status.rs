//! Space and inodes of the file system.
//!
//! A target that is silent for a moment keeps nobody waiting, and does not make the file system look smaller: it counts with
//! what it said last. Once the cluster map says that it is out of service, it is left out.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::time::Duration;

use futures::future::{join, join_all};
use sluice_types::{FsError, Target, TargetId, TargetState};
use sluice_wire::meta::{FileSystemCounts, FileSystemStatus};
use sluice_wire::storage::TargetStatus;
use tokio::time::timeout;

use crate::core::Core;

/// How old the last answer of a silent target may be to count.
const TARGET_MEMORY: Duration = Duration::from_secs(60);

/// Space and inodes of the file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpaceStatus {
    /// Size of all storage targets in service, in bytes.
    pub total_bytes: u64,
    /// Space that nothing takes, in bytes.
    pub free_bytes: u64,
    /// Space that a caller can use, in bytes.
    pub available_bytes: u64,
    /// Inodes in use and free.
    pub inodes_total: u64,
    /// Inodes that can still be made.
    pub inodes_free: u64,
    /// Inodes that a caller can still make.
    pub inodes_available: u64,
}

/// What is remembered between two calls.
#[derive(Debug, Default)]
pub(crate) struct StatusMemory {
    /// The last status, and when it was had (monotonic).
    last: Option<(Duration, Result<SpaceStatus, FsError>)>,
    /// The last answer of each target in service, and when it came (monotonic).
    targets: HashMap<TargetId, (Duration, TargetStatus)>,
}

impl Core {
    /// The status, at most [`crate::VfsConfig::status_age_max`] old. One caller at a time asks; the others wait for it.
    pub(crate) async fn file_system_status(&self) -> Result<SpaceStatus, FsError> {
        let mut memory = self.status.lock().await;
        if let Some((at, status)) = memory.last
            && self.clock.monotonic().saturating_sub(at) <= self.config.status_age_max
        {
            return status;
        }
        let status = self.ask_status(&mut memory.targets).await;
        // Its age counts from here, so that those who waited for it do not ask again one after another.
        memory.last = Some((self.clock.monotonic(), status));
        status
    }

    /// Asks the metadata service and all targets at once, each for [`crate::VfsConfig::status_wait`].
    async fn ask_status(
        &self,
        remembered: &mut HashMap<TargetId, (Duration, TargetStatus)>,
    ) -> Result<SpaceStatus, FsError> {
        let map = self.backend.map();
        let in_service = |target: &&Target| target.state != TargetState::Offline;
        let in_service: HashSet<TargetId> = map
            .targets
            .iter()
            .filter(in_service)
            .map(|target| target.id)
            .collect();
        let context = self.as_gateway();
        let counts = self.in_time(self.ask(&context, FileSystemStatus));
        let asked = in_service.iter().map(|&target| async move {
            let status = self.in_time(self.backend.target_status(target)).await;
            (target, status)
        });
        let (counts, answers) = join(counts, join_all(asked)).await;
        let now = self.clock.monotonic();
        remembered.retain(|target, (at, _)| {
            in_service.contains(target) && now.saturating_sub(*at) <= TARGET_MEMORY
        });
        for (target, answer) in answers {
            match answer {
                Ok(status) => drop(remembered.insert(target, (now, status))),
                Err(error) => tracing::debug!(%target, %error, "a target did not tell its space"),
            }
        }
        if remembered.is_empty() {
            return Err(FsError::Unavailable);
        }
        Ok(sum(&counts?, remembered.values().map(|(_, status)| status)))
    }

    async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T, FsError>>,
    ) -> Result<T, FsError> {
        let answer = timeout(self.config.status_wait, answer).await;
        answer.unwrap_or(Err(FsError::Unavailable))
    }
}

fn sum<'a>(
    counts: &FileSystemCounts,
    targets: impl Iterator<Item = &'a TargetStatus>,
) -> SpaceStatus {
    let mut status = SpaceStatus {
        inodes_total: counts.inodes_used.saturating_add(counts.inodes_free),
        inodes_free: counts.inodes_free,
        inodes_available: counts.inodes_free,
        ..SpaceStatus::default()
    };
    for target in targets.filter(|target| !target.failed) {
        let free = target.capacity_bytes.saturating_sub(target.used_bytes);
        status.total_bytes += target.capacity_bytes;
        status.free_bytes += free;
        status.available_bytes += free;
    }
    status
}
