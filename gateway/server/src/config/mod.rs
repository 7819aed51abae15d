//! The config files of the daemons: TOML, one file a role, every key known by name.
//!
//! A file says for which daemon it is (`role = "gateway"`), so that starting the wrong daemon with it is
//! noticed, and `sluice config check` needs no flag. Unknown keys are errors. Values are parsed into types
//! that cannot hold a bad one ([`ByteSize`], [`TimeSpan`], [`HostPort`]); what concerns several keys
//! is checked by each role's [`RoleConfig::validate`].

mod addresses;
mod common;
mod error;
mod example;
mod expected_uuid;
mod exports;
mod gateway;
mod host_port;
mod load;
mod meta;
mod size;
mod span;
mod storage;

pub use common::{LogConfig, LogFormat, Role};
pub use error::{ConfigError, closest};
pub use example::example;
pub use expected_uuid::ExpectedUuid;
pub use exports::{ExportConfig, SquashConfig, served_exports};
pub use gateway::{CacheConfig, GatewayConfig, LimitsConfig, PortmapMode};
pub use host_port::HostPort;
pub use load::{AnyConfig, RoleConfig, load, load_any};
pub use meta::{ClusterConfig, LayoutConfig, MetaConfig};
pub use size::ByteSize;
pub use span::TimeSpan;
pub use storage::{StorageConfig, TargetConfig};
