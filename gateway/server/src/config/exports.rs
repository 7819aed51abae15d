//! What a gateway offers, to whom, and as whom.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportConfig {
    /// Part of every file handle: never change it, never use it again. May be left out where there is only
    /// one export; it is 1 then.
    #[serde(default)]
    pub id: Option<u32>,
    /// Which directory, from the file system's root: `/` or `/projects/film`.
    pub path: String,
    /// Who may use it, as networks (`10.0.0.0/8`, `192.168.1.7/32`); all if empty.
    #[serde(default)]
    pub networks: Vec<IpNet>,
    /// Refuses every change.
    #[serde(default)]
    pub read_only: bool,
    /// Which users become the anonymous one.
    #[serde(default)]
    pub squash: SquashConfig,
    /// The anonymous user.
    #[serde(default = "anonymous")]
    pub anonymous_uid: u32,
    /// The anonymous group.
    #[serde(default = "anonymous")]
    pub anonymous_gid: u32,
}

fn anonymous() -> u32 {
    65534
}

/// Which users become the anonymous one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SquashConfig {
    /// None: root is root.
    #[default]
    None,
    /// Root only.
    Root,
    /// Everybody.
    All,
}

impl ExportConfig {
    /// What is exported when nothing is said: everything, to everyone who reaches the port, root as root.
    pub fn everything() -> Self {
        Self {
            id: Some(1),
            path: "/".to_owned(),
            networks: Vec::new(),
            read_only: false,
            squash: SquashConfig::None,
            anonymous_uid: anonymous(),
            anonymous_gid: anonymous(),
        }
    }
}

/// Gives the only export its id, and checks what concerns several.
pub(super) fn complete(exports: &mut Vec<ExportConfig>) -> Result<(), String> {
    if exports.is_empty() {
        exports.push(ExportConfig::everything());
    }
    if let [only] = exports.as_mut_slice() {
        only.id.get_or_insert(1);
    }
    let mut ids = BTreeSet::new();
    let mut paths = BTreeSet::new();
    for export in exports.iter() {
        let path = &export.path;
        check_path(path)?;
        if !paths.insert(path) {
            return Err(format!("`{path}` is exported twice: keep one of the two"));
        }
        let Some(id) = export.id else {
            return Err(format!(
                "the export of `{path}` needs an `id`: with several exports each has its own number"
            ));
        };
        if !ids.insert(id) {
            return Err(format!("two exports have the id {id}: give each its own"));
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), String> {
    let names = path.strip_prefix('/').unwrap_or_default();
    let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && name.len() <= 255;
    if path == "/" || (path.starts_with('/') && names.split('/').all(plain)) {
        return Ok(());
    }
    Err(format!(
        "`{path}` is not a path to export: write it from the root, as in `/` or `/projects/film`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(id: Option<u32>, path: &str) -> ExportConfig {
        ExportConfig {
            id,
            path: path.to_owned(),
            ..ExportConfig::everything()
        }
    }

    #[test]
    fn the_only_export_may_leave_its_id_out() {
        let mut none = Vec::new();
        complete(&mut none).unwrap();
        assert_eq!(none, [ExportConfig::everything()]);
        let mut one = vec![export(None, "/a")];
        complete(&mut one).unwrap();
        assert_eq!(one[0].id, Some(1));
    }

    #[test]
    fn ids_and_paths_are_unique_and_plain() {
        let refused = |exports: &[ExportConfig]| complete(&mut exports.to_vec()).unwrap_err();
        assert!(refused(&[export(None, "/a"), export(Some(2), "/b")]).contains("needs an `id`"));
        assert!(refused(&[export(Some(2), "/a"), export(Some(2), "/b")]).contains("the id 2"));
        assert!(refused(&[export(Some(1), "/a"), export(Some(2), "/a")]).contains("twice"));
        for wrong in ["", "a", "/a/", "//", "/a/../b"] {
            assert!(
                refused(&[export(None, wrong)]).contains("not a path"),
                "{wrong}"
            );
        }
    }
}
