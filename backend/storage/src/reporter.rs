//! Reports to the metadata service: the daemon's targets at its start, which gives them their numbers, and how they
//! are every second after.
//!
//! A target that belongs to a file system is not reported to the metadata service of another one: it would get a number
//! there, and perhaps a part of that file system. So the map is looked at first, which every formed file system has.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use sluice_store::Membership;
use sluice_types::{FileSystemId, MapVersion};
use sluice_wire::meta::{
    CallContext, GetMap, Metadata, MetadataExt as _, RegisterTargets, TargetReport,
};

use crate::targets::OpenTarget;
use crate::{StorageError, StorageService, metrics as names};

/// How long a report that failed is not tried again, though somebody waits for it.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// How a daemon reports.
#[derive(Clone, Debug)]
pub struct ReporterConfig {
    /// Where the daemon serves the data plane, `host:port`; empty in the same process.
    pub address: String,
    /// How often.
    pub interval: Duration,
}

/// Reports until dropped. An error is logged once, when it begins, and the report tried again.
pub async fn run_reporter(
    service: Arc<StorageService>,
    metadata: Arc<dyn Metadata>,
    config: ReporterConfig,
) {
    let mut in_touch = true;
    loop {
        let mut pause = FAILURE_PAUSE;
        match service.report(metadata.as_ref(), &config.address).await {
            Ok(()) if !in_touch => {
                pause = Duration::ZERO;
                tracing::info!("the metadata service is in touch again");
                in_touch = true;
            }
            Ok(()) => pause = Duration::ZERO,
            Err(error) => {
                counter!(names::REPORT_ERRORS).increment(1);
                if in_touch {
                    tracing::warn!(%error, "the metadata service is out of touch; trying on");
                }
                in_touch = false;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(config.interval) => {}
            // Somebody waits for it; but not over and over while the service does not answer.
            () = wanted_after(&service, pause) => {}
        }
    }
}

async fn wanted_after(service: &StorageService, pause: Duration) {
    tokio::time::sleep(pause).await;
    service.fences.wanted().await;
}

impl StorageService {
    /// Reports once: targets without a number have one when this returns. Those of another file system than the metadata
    /// service's are left out, and serve nothing: [`crate::Targets::health`] says so.
    ///
    /// # Errors
    /// [`StorageError::Map`] or [`StorageError::Report`] if the metadata service is not reached; [`StorageError::Record`].
    pub async fn report(&self, metadata: &dyn Metadata, address: &str) -> Result<(), StorageError> {
        let file_system = self.asked_file_system(metadata).await?;
        let mut open: Vec<&OpenTarget> = self.targets().open_targets().iter().collect();
        open.retain(|target| file_system.is_none_or(|asked| target.may_register(asked)));
        let mut reports = Vec::with_capacity(open.len());
        for target in &open {
            reports.push(report_of(target).await);
        }
        count_states(&reports, self.targets().health().len());
        let register = RegisterTargets {
            address: address.to_owned(),
            targets: reports,
        };
        let registered = metadata.run(&CallContext::internal(), register).await;
        let registered = registered.map_err(StorageError::Report)?;
        self.fences.learn(registered.sessions);
        if registered.targets.len() != open.len() {
            return Err(StorageError::ReportMismatch {
                expected: open.len(),
                found: registered.targets.len(),
            });
        }
        let file_system = registered.map.as_ref().map(|map| map.file_system);
        let mut joined = Ok(());
        for (target, number) in open.into_iter().zip(registered.targets) {
            // The metadata service may be another one than a moment ago.
            if file_system.is_none_or(|asked| target.may_register(asked)) {
                let membership = Membership {
                    target: number,
                    file_system,
                };
                // One that cannot note it, on a full or failing disk, keeps none of the others from serving.
                joined = joined.and(target.join(membership).await);
            }
        }
        let mut open = self.targets().open_targets().iter();
        if let Some(map) = registered.map
            && open.any(OpenTarget::is_member)
        {
            self.learn_map_version(map.version);
        }
        joined.map_err(StorageError::Record)
    }

    /// The file system of the metadata service; `None` if all targets are new, so that it does not matter.
    async fn asked_file_system(
        &self,
        metadata: &dyn Metadata,
    ) -> Result<Option<FileSystemId>, StorageError> {
        let mut own = self.targets().open_targets().iter();
        let Some(own) = own.find_map(OpenTarget::file_system) else {
            return Ok(None);
        };
        let known = MapVersion::default();
        let map = metadata
            .run(&CallContext::internal(), GetMap { known })
            .await;
        let map = map.map_err(|source| StorageError::Map { own, source })?;
        Ok(Some(map.file_system))
    }

    /// Whether every target has its number and the cluster is formed.
    pub fn is_registered(&self) -> bool {
        let mut open = self.targets().open_targets().iter();
        open.all(OpenTarget::is_member) && self.map_version().raw() > 0
    }
}

async fn report_of(target: &OpenTarget) -> TargetReport {
    let space = target.store.statfs().await;
    let failed = space.is_err() || target.store.failed().is_some();
    let space = space.ok();
    TargetReport {
        uuid: target.store.uuid(),
        capacity_bytes: space.as_ref().map_or(0, |space| space.capacity_bytes),
        used_bytes: space.as_ref().map_or(0, |space| space.used_bytes),
        failed,
    }
}

fn count_states(reports: &[TargetReport], configured: usize) {
    let serving = reports.iter().filter(|report| !report.failed).count();
    gauge!(names::TARGETS, "state" => "serving").set(serving as f64);
    gauge!(names::TARGETS, "state" => "failed").set((configured - serving) as f64);
}
