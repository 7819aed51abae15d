//! The directories of a `sluice up`'s targets: `targets/1` and so on. How many there are is settled when they are
//! made, all at once, so that a first start that was cut short leaves all of them or none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::explain;

/// The target directories in `dir`, in order of their numbers; `count` of them are made if there is none.
///
/// # Errors
/// If the system refuses.
pub(super) fn find_or_make(dir: &Path, count: u32) -> anyhow::Result<Vec<PathBuf>> {
    let failed = |error: io::Error| explain::path("cannot use", dir, &error);
    if !dir.exists() {
        make(dir, count).map_err(failed)?;
    }
    let found = find(dir).map_err(failed)?;
    if found.len() as u64 != u64::from(count) {
        tracing::info!(
            found = found.len(),
            "this directory was made with another number of targets"
        );
    }
    Ok(found)
}

/// What a target is called in metrics and logs.
pub(super) fn label(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().display().to_string()
}

fn make(dir: &Path, count: u32) -> io::Result<()> {
    let new = dir.with_extension("new");
    for number in 1..=count {
        fs::create_dir_all(new.join(number.to_string()))?;
    }
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, dir)
}

fn find(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    let paths = numbers.iter().map(|number| dir.join(number.to_string()));
    Ok(paths.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_targets_is_settled_once() {
        let dir = tempfile::tempdir().unwrap();
        let targets = dir.path().join("targets");
        let made = find_or_make(&targets, 12).unwrap();
        assert_eq!(made.len(), 12);
        assert_eq!(
            (label(&made[0]), label(&made[11])),
            ("1".to_owned(), "12".to_owned())
        );
        assert_eq!(find_or_make(&targets, 4).unwrap(), made);
    }
}
