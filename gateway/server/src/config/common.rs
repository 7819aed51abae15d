//! What all roles' files have.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// For which daemon a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `sluice meta`.
    Meta,
    /// `sluice storage`.
    Storage,
    /// `sluice gateway`.
    Gateway,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meta => "meta",
            Self::Storage => "storage",
            Self::Gateway => "gateway",
        })
    }
}

/// How logs are written to stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or by crate: `info,sluice_vfs=debug`.
    pub level: String,
    /// Lines for people, or one JSON object a line.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Checks what a daemon's file says of connections inside the cluster.
///
/// # Errors
/// In words, unless it says either that they are proved with a key, or that they are not.
pub(super) fn check_links(key: Option<&Path>, insecure: bool) -> Result<(), String> {
    match (key, insecure) {
        (Some(_), false) | (None, true) => Ok(()),
        (None, false) => Err(
            "`cluster_key_file` is missing: with that key the machines of a cluster prove to one another that they \
             belong to it; make one with `sluice config new-key FILE` on one machine, copy it to all others, and give \
             it here (or say `insecure_links = true`: then whoever reaches the port can change everything)"
                .to_owned(),
        ),
        (Some(_), true) => Err(
            "`cluster_key_file` and `insecure_links = true` say the opposite of each other: keep one of the two"
                .to_owned(),
        ),
    }
}

/// Where a daemon serves `/metrics`, `/healthz` and `/readyz` unless told otherwise: this machine only.
pub(super) const fn metrics_address(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
