//! A process's own directory: made at the first start, recognized at the next, locked while in use.
//!
//! Two files make it ours: `sluice-data`, one line that names the format and the role, written before
//! anything else and at once (as `sluice-data.new`, then renamed); and `lock`, which the process holds an
//! flock on for as long as it lives, so that the kernel frees it however the process ends. A directory with
//! other things in it is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};

use crate::explain;

const MARKER: &str = "sluice-data";
const MARKER_NEW: &str = "sluice-data.new";
const LOCK: &str = "lock";
const FORMAT: &str = "sluice data, format 1";

/// A directory that this process alone uses.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _locked: File,
}

impl DataDir {
    /// Opens or makes the directory.
    ///
    /// # Errors
    /// If another process has it, if it holds something else than data of `role`, or if the system refuses.
    pub fn open(path: &Path, role: &str) -> anyhow::Result<Self> {
        let refused = |error: io::Error| explain::path("cannot use the directory", path, &error);
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(refused)?;
        check_ours(path, role)?;
        let locked = lock(path)?;
        write_marker(path, role).map_err(refused)?;
        Ok(Self {
            path: path.to_owned(),
            _locked: locked,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Looks before anything is changed.
fn check_ours(path: &Path, role: &str) -> anyhow::Result<()> {
    match fs::read_to_string(path.join(MARKER)) {
        Ok(text) if text == marker(role) => Ok(()),
        Ok(text) => bail!(
            "{} is not a directory of `sluice {role}` in this version: it says `{}`\ngive another directory",
            path.display(),
            text.trim_end()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => check_empty(path),
        Err(error) => Err(explain::path("cannot read", &path.join(MARKER), &error)),
    }
}

/// A first start that ended early leaves nothing but the lock file and half a marker; file systems put something into their
/// roots.
fn check_empty(path: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(path).map_err(|error| explain::path("cannot list", path, &error))?;
    for entry in entries {
        let name = entry?.file_name();
        if name != LOCK && name != MARKER_NEW && name != "lost+found" {
            bail!(
                "{} is not empty and holds no Sluice data (it has `{}` in it)\ngive an empty or a new directory",
                path.display(),
                name.display()
            );
        }
    }
    Ok(())
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file_path = path.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file_path)
        .map_err(|error| explain::path("cannot open", &file_path, &error))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut holder = String::new();
        let _unreadable = file.read_to_string(&mut holder);
        bail!(
            "{} is in use by another process (process {})\nstop that one first, or give another directory",
            path.display(),
            holder.trim_end()
        );
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .with_context(|| format!("cannot write {}", file_path.display()))?;
    Ok(file)
}

fn marker(role: &str) -> String {
    format!("{FORMAT}, {role}\n")
}

fn write_marker(path: &Path, role: &str) -> io::Result<()> {
    let marker_path = path.join(MARKER);
    if marker_path.exists() {
        return Ok(());
    }
    let new_path = path.join(MARKER_NEW);
    // What a start that was cut short left of it goes.
    let mut file = File::create(&new_path)?;
    file.write_all(marker(role).as_bytes())?;
    file.sync_all()?;
    fs::rename(&new_path, &marker_path)?;
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_the_next_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/data");
        let first = DataDir::open(&path, "up").unwrap();
        let refused = DataDir::open(&path, "up").unwrap_err().to_string();
        assert!(
            refused.contains(&std::process::id().to_string()),
            "{refused}"
        );
        drop(first);
        DataDir::open(&path, "up").unwrap();
    }

    #[test]
    fn a_first_start_that_was_cut_short_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        for left in ["", "sluice da"] {
            fs::write(dir.path().join(MARKER_NEW), left).unwrap();
            fs::write(dir.path().join(LOCK), "4711\n").unwrap();
            drop(DataDir::open(dir.path(), "up").unwrap());
            let marked = fs::read_to_string(dir.path().join(MARKER)).unwrap();
            assert_eq!(marked, marker("up"));
            assert!(!dir.path().join(MARKER_NEW).exists());
            fs::remove_file(dir.path().join(MARKER)).unwrap();
        }
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.tex"), "x").unwrap();
        let refused = DataDir::open(dir.path(), "up").unwrap_err().to_string();
        assert!(refused.contains("thesis.tex"), "{refused}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_roles_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(DataDir::open(dir.path(), "meta").unwrap());
        assert!(DataDir::open(dir.path(), "up").is_err());
    }
}
