//! Where the program under test is.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::scratch::{repository, target_dir};

/// The `sluice` program: `$SLUICE_BIN` (as `make test` sets it), or else built now, as it may be out of date.
///
/// # Errors
/// If it cannot be built.
pub fn program() -> Result<PathBuf> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(path) = PROGRAM.get() {
        return Ok(path.clone());
    }
    let path = match std::env::var_os("SLUICE_BIN") {
        Some(path) => PathBuf::from(path),
        None => build()?,
    };
    ensure!(
        path.exists(),
        "{} is missing: `make build` makes it",
        path.display()
    );
    Ok(PROGRAM.get_or_init(|| path).clone())
}

fn build() -> Result<PathBuf> {
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--workspace", "--bin", "sluice"])
        .current_dir(repository())
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "the program under test does not build");
    Ok(target_dir()?.join("debug/sluice"))
}
