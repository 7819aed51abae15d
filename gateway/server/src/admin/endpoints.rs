//! Where a `sluice up` can be asked: `DIR/admin.json`, readable by its owner only.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// The loopback ports of a `sluice up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The process that wrote them.
    pub process: u32,
    /// Metadata, by gRPC.
    pub meta: SocketAddr,
    /// All storage targets, by the fabric.
    pub storage: SocketAddr,
}

impl Endpoints {
    fn file(data: &Path) -> PathBuf {
        data.join("admin.json")
    }

    /// Notes them in the data directory.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, data: &Path) -> anyhow::Result<()> {
        let file = Self::file(data);
        let new = file.with_extension("new");
        let written = || -> io::Result<()> {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut open = options.open(&new)?;
            open.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
            fs::rename(&new, &file)
        };
        written().with_context(|| format!("cannot write {}", file.display()))
    }

    /// Finds those of the process that serves `data` now.
    ///
    /// # Errors
    /// If none does.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let file = Self::file(data);
        let text = fs::read_to_string(&file).with_context(|| {
            format!(
                "no `sluice up` serves {}: its admin.json cannot be read\n\
                 give the directory with --data DIR, or a cluster's metadata service with --meta HOST:PORT",
                data.display()
            )
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))
    }

    /// Forgets them: the process stops.
    pub fn remove(data: &Path) {
        // A file left behind is found out by the connection it does not give.
        let _left_behind = fs::remove_file(Self::file(data));
    }
}
