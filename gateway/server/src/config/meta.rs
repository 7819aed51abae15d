//! The metadata service's file.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sluice_types::{ChunkSize, Layout, ReplicaCount, StripeWidth};

use super::common::{check_links, metrics_address};
use super::{ByteSize, LogConfig, Role, RoleConfig, TimeSpan};

/// The config of `sluice meta`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaConfig {
    /// `meta`.
    pub role: Role,
    /// Where it serves the rest of the cluster.
    pub listen: SocketAddr,
    /// Its data's directory; made if missing.
    pub data: PathBuf,
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
    /// How the cluster is formed.
    #[serde(default)]
    pub cluster: ClusterConfig,
    /// What the root directory gives to new files.
    #[serde(default)]
    pub layout: LayoutConfig,
    /// Logs.
    #[serde(default)]
    pub log: LogConfig,
}

fn metrics_listen() -> SocketAddr {
    metrics_address(9465)
}

pub(super) fn shutdown_deadline() -> TimeSpan {
    TimeSpan::seconds(30)
}

/// How the cluster is formed; heeded once, when it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterConfig {
    /// The cluster is formed when so many storage targets have registered.
    pub initial_targets: u32,
    /// The number of placement groups, fixed for ever: several times the targets there will ever be.
    pub placement_groups: u32,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            initial_targets: 4,
            placement_groups: 64,
        }
    }
}

/// The layout of new files where no directory says otherwise; heeded once, when the file system is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayoutConfig {
    /// Size of a chunk: a power of two from 64KiB to 64MiB.
    pub chunk_size: ByteSize,
    /// Over how many placement groups a file is spread: 1 to 1024.
    pub stripe_width: u32,
    /// Copies of each chunk; 1 is all there is yet.
    pub replicas: u32,
}

impl Default for LayoutConfig {
    fn default() -> Self {
        Self {
            chunk_size: ByteSize::new(u64::from(ChunkSize::DEFAULT.bytes())),
            stripe_width: StripeWidth::DEFAULT.groups(),
            replicas: 1,
        }
    }
}

impl LayoutConfig {
    /// As the metadata service takes it.
    ///
    /// # Errors
    /// In words, if a value is out of its range.
    pub fn layout(&self) -> Result<Layout, String> {
        let chunk_bytes = u32::try_from(self.chunk_size.bytes()).unwrap_or(u32::MAX);
        let chunk_size = ChunkSize::new(chunk_bytes).map_err(|_| {
            format!(
                "the chunk size must be a power of two from 64KiB to 64MiB, and is {}",
                self.chunk_size
            )
        })?;
        let stripe_width = StripeWidth::new(self.stripe_width).map_err(|_| {
            format!(
                "the stripe width must be 1 to 1024, and is {}",
                self.stripe_width
            )
        })?;
        if self.replicas != 1 {
            return Err(format!(
                "`replicas` must be 1 in this version, and is {}",
                self.replicas
            ));
        }
        Ok(Layout {
            chunk_size,
            stripe_width,
            replicas: ReplicaCount::ONE,
            placement_seed: 0,
        })
    }
}

impl RoleConfig for MetaConfig {
    const ROLE: Role = Role::Meta;

    fn validate(&mut self) -> Result<(), String> {
        check_links(self.cluster_key_file.as_deref(), self.insecure_links)?;
        self.layout.layout()?;
        let ClusterConfig {
            initial_targets,
            placement_groups,
        } = self.cluster;
        if initial_targets == 0 {
            return Err("`initial_targets` must be at least 1".to_owned());
        }
        if !(initial_targets..=65_536).contains(&placement_groups) {
            return Err(format!(
                "`placement_groups` must be at least `initial_targets` ({initial_targets}) and at most \
                 65536, and is {placement_groups}"
            ));
        }
        if self.listen == self.metrics_listen && self.listen.port() != 0 {
            return Err("`listen` and `metrics_listen` are the same address".to_owned());
        }
        Ok(())
    }
}
