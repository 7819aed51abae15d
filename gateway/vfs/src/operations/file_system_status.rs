//! Space and inodes of the file system.

use std::time::Duration;

use futures::future::try_join_all;
use sluice_types::{FsError, TargetState};
use sluice_wire::meta::FileSystemStatus;

use crate::core::Core;

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

/// The last status and when it was asked for (monotonic).
#[derive(Debug, Default)]
pub(crate) struct StatusMemory {
    last: Option<(Duration, SpaceStatus)>,
}

impl Core {
    /// The status, at most [`crate::VfsConfig::status_age_max`] old. One caller at a time asks; the others wait for it.
    pub(crate) async fn file_system_status(&self) -> Result<SpaceStatus, FsError> {
        let mut memory = self.status.lock().await;
        let now = self.clock.monotonic();
        if let Some((at, status)) = memory.last
            && now.saturating_sub(at) <= self.config.status_age_max
        {
            return Ok(status);
        }
        let status = self.ask_status().await?;
        memory.last = Some((now, status));
        Ok(status)
    }

    async fn ask_status(&self) -> Result<SpaceStatus, FsError> {
        let context = self.as_gateway();
        let counts = self.ask(&context, FileSystemStatus).await?;
        let map = self.backend.map();
        let in_service = map
            .targets
            .iter()
            .filter(|target| target.state != TargetState::Offline);
        let asked = in_service.map(|target| self.backend.target_status(target.id));
        let mut status = SpaceStatus {
            inodes_total: counts.inodes_used.saturating_add(counts.inodes_free),
            inodes_free: counts.inodes_free,
            inodes_available: counts.inodes_free,
            ..SpaceStatus::default()
        };
        for target in try_join_all(asked).await? {
            if target.failed {
                continue;
            }
            let free = target.capacity_bytes.saturating_sub(target.used_bytes);
            status.total_bytes += target.capacity_bytes;
            status.free_bytes += free;
            status.available_bytes += free;
        }
        Ok(status)
    }
}
