//! What a gateway offers, to whom, and as whom. What makes sense is the file service's to say
//! ([`sluice_vfs::Exports`]): here it is asked while the file is read, so that its line can be told.

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sluice_types::ExportId;
use sluice_vfs::{Export, ExportError, Exports, Squash};

/// One export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportConfig {
    /// Part of every file handle: never change it, never use it again. May be left out where there is only
    /// one export; it is 1 then.
    #[serde(default)]
    pub id: Option<u32>,
    /// Which directory, from the file system's root: `/` or `/projects/film`.
    #[serde(deserialize_with = "path")]
    pub path: String,
    /// Who may use it, as networks (`10.0.0.0/8`, `192.168.1.7/32`); all if empty.
    #[serde(default, deserialize_with = "networks")]
    pub networks: Vec<IpNet>,
    /// Refuses calls from ports that take no root on the client.
    #[serde(default)]
    pub privileged_ports_only: bool,
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
            privileged_ports_only: false,
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
    if let Some(without) = exports.iter().find(|export| export.id.is_none()) {
        return Err(format!(
            "the export of `{}` needs an `id`: with several exports each has its own number",
            without.path
        ));
    }
    served_exports(exports)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// What the gateway serves.
///
/// # Errors
/// If the exports make no sense, each or together.
pub fn served_exports(exports: &[ExportConfig]) -> Result<Exports, ExportError> {
    let exports = exports.iter().map(|config| Export {
        id: ExportId::new(config.id.unwrap_or(1)),
        path: config.path.clone().into_bytes(),
        networks: config.networks.clone(),
        privileged_ports_only: config.privileged_ports_only,
        read_only: config.read_only,
        squash: match config.squash {
            SquashConfig::None => Squash::None,
            SquashConfig::Root => Squash::Root,
            SquashConfig::All => Squash::All,
        },
        anonymous_uid: config.anonymous_uid,
        anonymous_gid: config.anonymous_gid,
    });
    Exports::new(exports.collect())
}

fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    Export::check_path(path.as_bytes()).map_err(D::Error::custom)?;
    Ok(path)
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let networks = Vec::<IpNet>::deserialize(deserializer)?;
    let mut all = networks.iter().copied();
    all.try_for_each(Export::check_network)
        .map_err(D::Error::custom)?;
    Ok(networks)
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
