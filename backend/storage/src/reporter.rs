//! Reports to the metadata service: the daemon's targets at its start, which gives them their numbers, and how they
//! are every second after.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use sluice_types::TargetId;
use sluice_wire::meta::{CallContext, Metadata, MetadataExt as _, RegisterTargets, TargetReport};

use crate::targets::OpenTarget;
use crate::{StorageError, StorageService, metrics as names};

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
        match service.report(metadata.as_ref(), &config.address).await {
            Ok(()) if !in_touch => {
                tracing::info!("the metadata service is in touch again");
                in_touch = true;
            }
            Ok(()) => {}
            Err(error) => {
                counter!(names::REPORT_ERRORS).increment(1);
                if in_touch {
                    tracing::warn!(%error, "the metadata service is out of touch; trying on");
                }
                in_touch = false;
            }
        }
        tokio::time::sleep(config.interval).await;
    }
}

impl StorageService {
    /// Reports once: targets without a number have one when this returns.
    ///
    /// # Errors
    /// [`StorageError::Report`] if the metadata service is not reached; [`StorageError::Record`].
    pub async fn report(&self, metadata: &dyn Metadata, address: &str) -> Result<(), StorageError> {
        let open = self.targets().open_targets();
        let mut reports = Vec::with_capacity(open.len());
        for target in open {
            reports.push(report_of(target).await);
        }
        count_states(&reports, self.targets().health().len());
        let register = RegisterTargets {
            address: address.to_owned(),
            targets: reports,
        };
        let registered = metadata.run(&CallContext::internal(), register).await;
        let registered = registered.map_err(StorageError::Report)?;
        if registered.targets.len() != open.len() {
            return Err(StorageError::ReportMismatch {
                expected: open.len(),
                found: registered.targets.len(),
            });
        }
        for (target, number) in open.iter().zip(registered.targets) {
            take_number(target, number).await?;
        }
        if let Some(map) = registered.map {
            self.learn_map_version(map.version);
        }
        Ok(())
    }

    /// Whether every target has its number and the cluster is formed.
    pub fn is_registered(&self) -> bool {
        let mut open = self.targets().open_targets().iter();
        open.all(|target| target.number() != TargetId::UNREGISTERED) && self.map_version().raw() > 0
    }
}

async fn take_number(target: &OpenTarget, number: TargetId) -> Result<(), StorageError> {
    if target.number() != number {
        tracing::info!(
            directory = %target.directory.display(), uuid = %format_args!("{:032x}", target.store.uuid().raw()),
            %number, boot = %target.boot(), "the target has its number"
        );
        target.set_number(number).await?;
    }
    Ok(())
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
