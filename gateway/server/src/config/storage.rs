//! A storage daemon's file.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::common::{check_links, metrics_address};
use super::meta::shutdown_deadline;
use super::{ByteSize, ExpectedUuid, HostPort, LogConfig, Role, RoleConfig, TimeSpan};

/// The config of `sluice storage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// `storage`.
    pub role: Role,
    /// Where the metadata service is.
    pub meta: HostPort,
    /// Where it serves the data plane.
    pub listen: SocketAddr,
    /// Where the others find it; `listen` unless told otherwise.
    #[serde(default)]
    pub advertise: Option<HostPort>,
    /// The key that all members of a cluster share (`sluice config new-key FILE` makes one): with it they prove to one
    /// another that they belong to it.
    #[serde(default)]
    pub cluster_key_file: Option<PathBuf>,
    /// Takes whoever connects for a member of the cluster, without a key.
    #[serde(default)]
    pub insecure_links: bool,
    /// Where it serves metrics and health.
    #[serde(default = "metrics_listen")]
    pub metrics_listen: SocketAddr,
    /// How long stopping may take.
    #[serde(default = "shutdown_deadline")]
    pub shutdown_deadline: TimeSpan,
    /// Logs.
    #[serde(default)]
    pub log: LogConfig,
    /// Its targets: one a disk.
    pub targets: Vec<TargetConfig>,
}

fn metrics_listen() -> SocketAddr {
    metrics_address(9466)
}

/// One target: a directory on one disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetConfig {
    /// The directory; made if missing.
    pub dir: PathBuf,
    /// Which target the directory must hold; if left out, a directory without one becomes a new target.
    #[serde(default)]
    pub uuid: Option<ExpectedUuid>,
    /// How much it may hold; all that its file system has if left out.
    #[serde(default)]
    pub capacity: Option<ByteSize>,
    /// How much unstable data may wait in memory.
    #[serde(default = "unstable_memory")]
    pub unstable_memory: ByteSize,
}

fn unstable_memory() -> ByteSize {
    ByteSize::mebibytes(256)
}

/// The least space for data on a target.
const CAPACITY_MIN: ByteSize = ByteSize::mebibytes(64);

/// The least memory for unstable data: room for what is written while a COMMIT goes to disk.
const UNSTABLE_MEMORY_MIN: ByteSize = ByteSize::mebibytes(16);

impl TargetConfig {
    /// A target in `dir` with everything else as it is when nothing is said.
    pub fn in_dir(dir: PathBuf) -> Self {
        Self {
            dir,
            uuid: None,
            capacity: None,
            unstable_memory: unstable_memory(),
        }
    }

    fn validate(&self) -> Result<(), String> {
        let dir = self.dir.display();
        let capacity = self.capacity.unwrap_or(CAPACITY_MIN);
        if capacity < CAPACITY_MIN {
            return Err(format!(
                "the capacity of `{dir}` must be at least {CAPACITY_MIN}, and is {capacity}"
            ));
        }
        if self.unstable_memory < UNSTABLE_MEMORY_MIN {
            return Err(format!(
                "the `unstable_memory` of `{dir}` must be at least {UNSTABLE_MEMORY_MIN}, room for what is written \
                 while a COMMIT goes to disk, and is {}",
                self.unstable_memory
            ));
        }
        Ok(())
    }
}

impl StorageConfig {
    /// Where the others find it.
    pub fn advertised(&self) -> HostPort {
        let listen = || HostPort::from(self.listen);
        self.advertise.clone().unwrap_or_else(listen)
    }
}

impl RoleConfig for StorageConfig {
    const ROLE: Role = Role::Storage;

    fn validate(&mut self) -> Result<(), String> {
        check_links(self.cluster_key_file.as_deref(), self.insecure_links)?;
        if self.targets.is_empty() {
            return Err("there must be at least one [[targets]] with a `dir`".to_owned());
        }
        let mut dirs = BTreeSet::new();
        for target in &self.targets {
            if !dirs.insert(&target.dir) {
                return Err(format!("`{}` is a target twice", target.dir.display()));
            }
            target.validate()?;
        }
        if self.advertise.is_none() && self.listen.ip().is_unspecified() {
            return Err(format!(
                "`advertise` is needed, since `listen` is {} and others cannot connect to that",
                self.listen
            ));
        }
        if self.listen == self.metrics_listen && self.listen.port() != 0 {
            return Err("`listen` and `metrics_listen` are the same address".to_owned());
        }
        Ok(())
    }
}
