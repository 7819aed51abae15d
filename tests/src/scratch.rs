//! Where tests put their data: under the target folder, on a real disk (a memory file system
//! would not take O_DIRECT, and would make durability tests prove nothing).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The target folder that this test was built in.
pub fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe().context("asking for the test's own path")?;
    program
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .map(Path::to_path_buf)
        .with_context(|| format!("no target folder above {}", program.display()))
}

/// The folder for the data of running tests.
///
/// # Errors
/// If it cannot be made.
pub fn scratch_dir() -> Result<PathBuf> {
    let folder = target_dir()?.join("test-scratch");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    Ok(folder)
}

/// A new folder, removed when dropped.
///
/// # Errors
/// If it cannot be made.
pub fn temporary_dir(prefix: &str) -> Result<TempDir> {
    Ok(TempDir::with_prefix_in(prefix, scratch_dir()?)?)
}

/// A program that `tests/setup.sh` built for the tests.
///
/// # Errors
/// If it is not there.
pub fn test_tool(name: &str) -> Result<PathBuf> {
    let path = target_dir()?.join("test-tools/bin").join(name);
    anyhow::ensure!(
        path.exists(),
        "{} is missing: run tests/setup.sh",
        path.display()
    );
    Ok(path)
}
