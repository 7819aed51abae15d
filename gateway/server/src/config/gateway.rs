//! A gateway's file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::common::metrics_address;
use super::meta::shutdown_deadline;
use super::{
    ByteSize, ExportConfig, HostPort, LogConfig, Role, RoleConfig, TimeSpan, addresses, exports,
};

/// The config of `sluice gateway`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// `gateway`.
    pub role: Role,
    /// Where the metadata service is.
    pub meta: HostPort,
    /// The address it serves NFS on; `0.0.0.0` for all.
    #[serde(default = "listen")]
    pub listen: IpAddr,
    /// The port for NFS and MOUNT.
    #[serde(default = "nfs_port")]
    pub nfs_port: u16,
    /// How clients find the ports.
    #[serde(default)]
    pub portmap: PortmapMode,
    /// The key that all members of a cluster share (`sluice config new-key FILE` makes one): file handles are
    /// signed with it, and with it members prove to one another that they belong to the cluster.
    pub cluster_key_file: PathBuf,
    /// Takes whatever answers for the cluster, without proof of its key: as its other daemons are set.
    #[serde(default)]
    pub insecure_links: bool,
    /// Proxies and load balancers that say with the PROXY protocol whose connections they pass on, as addresses or networks.
    #[serde(default, deserialize_with = "addresses::networks")]
    pub proxy_protocol_from: Vec<IpNet>,
    /// Where it serves metrics and health.
    #[serde(default = "metrics_listen")]
    pub metrics_listen: SocketAddr,
    /// How long it goes on to serve after `/readyz` said that it stops, so that load balancers notice first.
    #[serde(default = "drain_delay")]
    pub drain_delay: TimeSpan,
    /// How long stopping may take from then on.
    #[serde(default = "shutdown_deadline")]
    pub shutdown_deadline: TimeSpan,
    /// Cache budgets.
    #[serde(default)]
    pub cache: CacheConfig,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Logs.
    #[serde(default)]
    pub log: LogConfig,
    /// What it offers; everything to everyone if there is none.
    #[serde(default)]
    pub exports: Vec<ExportConfig>,
}

const fn listen() -> IpAddr {
    IpAddr::V4(Ipv4Addr::UNSPECIFIED)
}

fn nfs_port() -> u16 {
    2049
}

fn drain_delay() -> TimeSpan {
    TimeSpan::seconds(3)
}

fn metrics_listen() -> SocketAddr {
    metrics_address(9464)
}

/// How clients find the ports of NFS and MOUNT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PortmapMode {
    /// `own` if port 111 is free and allowed, `register` if an rpcbind answers there, else `off`.
    #[default]
    Auto,
    /// Answers on port 111 itself.
    Own,
    /// Registers with the rpcbind that runs on this machine.
    Register,
    /// Neither: clients give the ports when they mount.
    Off,
}

/// How much is kept of what storage holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// In memory.
    pub memory: ByteSize,
    /// Where on a local disk; in memory only if left out.
    pub dir: Option<PathBuf>,
    /// How much of that disk.
    pub size: Option<ByteSize>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            memory: ByteSize::mebibytes(256),
            dir: None,
            size: None,
        }
    }
}

/// Bounds of what clients may make a gateway hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections at once; more are closed as they come.
    pub connections: u32,
    /// Calls in work at once over one connection; then its socket is not read.
    pub calls_per_connection: u32,
    /// Calls in work at once in all.
    pub calls: u32,
    /// Bytes of calls and replies in memory at once, in all.
    pub in_flight_memory: ByteSize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 20_000,
            calls_per_connection: 128,
            calls: 4_096,
            in_flight_memory: ByteSize::mebibytes(512),
        }
    }
}

/// The least memory for a cache: room to read ahead a few files at once.
const CACHE_MEMORY_MIN: ByteSize = ByteSize::mebibytes(16);

impl CacheConfig {
    /// Checks the budgets, and what concerns several keys.
    ///
    /// # Errors
    /// In words.
    pub fn validate(&self) -> Result<(), String> {
        if self.memory < CACHE_MEMORY_MIN {
            return Err(format!(
                "the cache's memory must be at least {CACHE_MEMORY_MIN}, room to read ahead a few files at once, and \
                 is {}",
                self.memory
            ));
        }
        match (&self.dir, self.size) {
            (Some(_), None) => Err("a cache `dir` needs a `size`, as in \"64GiB\"".to_owned()),
            (None, Some(_)) => Err("a cache `size` needs a `dir` to lie in".to_owned()),
            (Some(_), Some(size)) if size < ByteSize::mebibytes(64) => Err(format!(
                "the cache's `size` on disk must be at least 64MiB, and is {size}"
            )),
            _ => Ok(()),
        }
    }
}

impl RoleConfig for GatewayConfig {
    const ROLE: Role = Role::Gateway;

    fn validate(&mut self) -> Result<(), String> {
        exports::complete(&mut self.exports)?;
        self.cache.validate()?;
        let limits = [
            ("connections", self.limits.connections),
            ("calls_per_connection", self.limits.calls_per_connection),
            ("calls", self.limits.calls),
        ];
        if let Some((name, _)) = limits.iter().find(|(_, limit)| *limit == 0) {
            return Err(format!("`limits.{name}` must be at least 1"));
        }
        if self.limits.in_flight_memory < ByteSize::mebibytes(16) {
            return Err(format!(
                "`limits.in_flight_memory` must be at least 16MiB, and is {}",
                self.limits.in_flight_memory
            ));
        }
        Ok(())
    }
}
