//! The storage targets of the cluster and the map of their placement groups.
//!
//! A target gets a durable number when it first registers. When as many as the configuration asks for have,
//! the map is formed, once and for ever as to the number of groups. Each change of the map (an address, a state)
//! makes a new version, durable before anyone sees it. A target that registers later has a number but no group until
//! the cluster can be grown.
//!
//! Silence: a target's daemon reports every second; one not heard of for a while, or that reports itself failed, is shown as
//! offline. With one replica its groups stay as they are, for nobody else has the data.

mod formation;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use sluice_types::{
    ClusterMap, FileSystemId, FsError, LiveSessions, MapVersion, Target, TargetId, TargetState,
    TargetUuid,
};
use sluice_wire::meta::{RegisterTargets, Registered, TargetReport};
use tokio::sync::Mutex;

use crate::config::MetaConfig;
use crate::error::MetaError;
use crate::kv::{CommitPoint, Engine, Isolation, Transaction};
use crate::metrics;
use crate::records::{MapRecord, TargetRecord, keys};

/// At most so many targets can register; bounds the map.
const TARGETS_MAX: usize = 4096;

/// The longest address of a daemon, in bytes.
const ADDRESS_BYTES_MAX: usize = 1024;

/// A target as it is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KnownTarget {
    id: TargetId,
    address: String,
    /// By the service's monotonic clock; when the service was opened, if not heard of since.
    heard_at: Duration,
    failed: bool,
}

/// The targets, as far as commits go.
#[derive(Debug)]
struct Targets {
    known: HashMap<TargetUuid, KnownTarget>,
    /// The last commit about them: no reply shows them before it is durable.
    written: CommitPoint,
}

/// All targets and the map.
#[derive(Debug)]
pub struct Cluster {
    file_system: FileSystemId,
    initial_targets: usize,
    placement_groups: u32,
    silence_max: Duration,
    /// Locked for each change. It changes with the commit of its durable part, not only once that is durable: a caller that
    /// goes away in between must not leave a number behind that is given again.
    targets: Mutex<Targets>,
    map: RwLock<Option<ClusterMap>>,
}

impl Cluster {
    /// Loads what is known.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn open(
        engine: &Arc<dyn Engine>,
        file_system: FileSystemId,
        config: &MetaConfig,
        now: Duration,
    ) -> Result<Self, MetaError> {
        let mut transaction = engine.begin(Isolation::Latest);
        let map = transaction.get(&keys::cluster_map()).await?;
        let map = map.map(|value| MapRecord::decode(&value)).transpose()?;
        let map = map.map(|record| record.0);
        report(map.as_ref());
        Ok(Self {
            file_system,
            initial_targets: config.initial_targets.max(1) as usize,
            placement_groups: config.placement_groups.max(1),
            silence_max: config.target_silence_max,
            targets: Mutex::new(Targets {
                known: load_targets(&mut *transaction, now).await?,
                written: CommitPoint::START,
            }),
            map: RwLock::new(map),
        })
    }

    /// The version of the map; zero before it is formed.
    pub fn version(&self) -> MapVersion {
        let map = self.map.read();
        map.as_ref().map_or(MapVersion::new(0), |map| map.version)
    }

    /// The map as it is now.
    ///
    /// # Errors
    /// [`FsError::Unavailable`] before it is formed; those of the store.
    pub async fn map(
        &self,
        engine: &Arc<dyn Engine>,
        now: Duration,
    ) -> Result<ClusterMap, MetaError> {
        let targets = self.targets.lock().await;
        self.renew_map(engine, &targets.known, now).await?;
        let map = self.map.read().clone();
        map.ok_or(MetaError::Refused(FsError::Unavailable))
    }

    /// Notes a daemon's report; gives its targets their numbers, and forms the map when enough are there. `sessions` go
    /// into the answer.
    ///
    /// # Errors
    /// [`FsError::Invalid`] if a target is named twice or the address is over 1024 bytes; [`FsError::NoSpace`] beyond 4096 targets; those of the store.
    pub async fn register(
        &self,
        engine: &Arc<dyn Engine>,
        request: &RegisterTargets,
        now: Duration,
        sessions: LiveSessions,
    ) -> Result<Registered, MetaError> {
        check_distinct(&request.targets)?;
        if request.address.len() > ADDRESS_BYTES_MAX {
            return Err(FsError::Invalid.into());
        }
        let mut targets = self.targets.lock().await;
        let mut changed = HashMap::new();
        let mut last = targets
            .known
            .values()
            .map(|target| target.id.raw())
            .max()
            .unwrap_or(0);
        for report in &request.targets {
            let known = targets.known.get(&report.uuid);
            let id = known.map_or_else(
                || {
                    last += 1;
                    TargetId::new(last)
                },
                |known| known.id,
            );
            let heard = KnownTarget {
                id,
                address: request.address.clone(),
                heard_at: now,
                failed: report.failed,
            };
            changed.insert(report.uuid, heard);
        }
        if last as usize > TARGETS_MAX {
            return Err(FsError::NoSpace.into());
        }
        if let Some(written) = self.store_targets(engine, &targets.known, &changed).await? {
            targets.written = written;
        }
        targets.known.extend(changed);
        engine.durable(targets.written).await?;
        self.renew_map(engine, &targets.known, now).await?;
        let ids = request
            .targets
            .iter()
            .map(|report| targets.known[&report.uuid].id);
        Ok(Registered {
            targets: ids.collect(),
            map: self.map.read().clone(),
            sessions,
        })
    }

    /// Commits what is new about `changed`, if anything is.
    async fn store_targets(
        &self,
        engine: &Arc<dyn Engine>,
        known: &HashMap<TargetUuid, KnownTarget>,
        changed: &HashMap<TargetUuid, KnownTarget>,
    ) -> Result<Option<CommitPoint>, MetaError> {
        let mut transaction = engine.begin(Isolation::Serializable);
        let mut any = false;
        for (uuid, target) in changed {
            let before = known.get(uuid);
            if before.is_some_and(|before| before.address == target.address) {
                continue;
            }
            any = true;
            let record = TargetRecord {
                id: target.id,
                address: target.address.clone(),
            };
            transaction.put(keys::target(*uuid), record.encode());
            if before.is_none() {
                self.log_new(*uuid, target);
            }
        }
        if !any {
            return Ok(None);
        }
        Ok(Some(transaction.commit().await?))
    }

    fn log_new(&self, uuid: TargetUuid, target: &KnownTarget) {
        let (id, address) = (target.id, &target.address);
        if self.map.read().is_some() {
            tracing::warn!(%uuid, %id, address, "a new target registered; it gets no data until the cluster is grown");
        } else {
            tracing::info!(%uuid, %id, address, "a target registered");
        }
    }

    /// Forms the map, or makes a new version of it, if what is known of the targets says so.
    async fn renew_map(
        &self,
        engine: &Arc<dyn Engine>,
        targets: &HashMap<TargetUuid, KnownTarget>,
        now: Duration,
    ) -> Result<(), MetaError> {
        let current = self.map.read().clone();
        let renewed = match current {
            None if targets.len() < self.initial_targets => None,
            None => Some(self.form(targets, now)),
            Some(map) => self.updated(map, targets, now),
        };
        let Some(map) = renewed else {
            return Ok(());
        };
        let mut transaction = engine.begin(Isolation::Serializable);
        transaction.put(keys::cluster_map(), MapRecord(map.clone()).encode());
        let point = transaction.commit().await?;
        engine.durable(point).await?;
        report(Some(&map));
        tracing::info!(version = %map.version, "the cluster map has a new version");
        *self.map.write() = Some(map);
        Ok(())
    }

    fn form(&self, targets: &HashMap<TargetUuid, KnownTarget>, now: Duration) -> ClusterMap {
        let mut listed: Vec<Target> = targets
            .iter()
            .map(|(uuid, known)| Target {
                id: known.id,
                uuid: *uuid,
                address: known.address.clone(),
                state: self.state(known, now),
            })
            .collect();
        listed.sort_unstable_by_key(|target| target.id);
        let groups = formation::groups(&listed, self.placement_groups);
        tracing::info!(
            targets = listed.len(),
            groups = groups.len(),
            "the cluster is formed"
        );
        ClusterMap {
            version: MapVersion::new(1),
            file_system: self.file_system,
            targets: listed,
            groups,
        }
    }

    /// The map with addresses and states as they are known; `None` if it has them already.
    fn updated(
        &self,
        mut map: ClusterMap,
        targets: &HashMap<TargetUuid, KnownTarget>,
        now: Duration,
    ) -> Option<ClusterMap> {
        let mut changed = false;
        for target in &mut map.targets {
            let Some(known) = targets.get(&target.uuid) else {
                continue;
            };
            let state = self.state(known, now);
            if target.state != state {
                tracing::warn!(target = %target.id, from = ?target.state, to = ?state, "a target's state changed");
            }
            if target.state != state || target.address != known.address {
                target.state = state;
                target.address.clone_from(&known.address);
                changed = true;
            }
        }
        map.version = MapVersion::new(map.version.raw() + 1);
        changed.then_some(map)
    }

    fn state(&self, known: &KnownTarget, now: Duration) -> TargetState {
        let silent = now.saturating_sub(known.heard_at) > self.silence_max;
        if silent || known.failed {
            TargetState::Offline
        } else {
            TargetState::Online
        }
    }
}

fn check_distinct(reports: &[TargetReport]) -> Result<(), FsError> {
    let mut uuids: Vec<TargetUuid> = reports.iter().map(|report| report.uuid).collect();
    uuids.sort_unstable();
    let repeated = uuids.windows(2).any(|pair| pair[0] == pair[1]);
    if repeated {
        Err(FsError::Invalid)
    } else {
        Ok(())
    }
}

async fn load_targets(
    transaction: &mut dyn Transaction,
    now: Duration,
) -> Result<HashMap<TargetUuid, KnownTarget>, MetaError> {
    let pairs = transaction.range(&keys::targets(), TARGETS_MAX).await?;
    let mut targets = HashMap::new();
    for (key, value) in pairs {
        let Some(uuid) = keys::parse_target(&key) else {
            continue;
        };
        let record = TargetRecord::decode(&value)?;
        let known = KnownTarget {
            id: record.id,
            address: record.address,
            heard_at: now,
            failed: false,
        };
        targets.insert(uuid, known);
    }
    Ok(targets)
}

fn report(map: Option<&ClusterMap>) {
    let version = map.map_or(0, |map| map.version.raw());
    ::metrics::gauge!(metrics::MAP_VERSION).set(version as f64);
    for state in [
        TargetState::Online,
        TargetState::Syncing,
        TargetState::Offline,
        TargetState::Draining,
    ] {
        let targets = map.map_or(&[][..], |map| &map.targets);
        let count = targets
            .iter()
            .filter(|target| target.state == state)
            .count();
        let name = format!("{state:?}").to_lowercase();
        ::metrics::gauge!(metrics::TARGETS, "state" => name).set(count as f64);
    }
}

#[cfg(test)]
mod tests;
