//! From a file to a checked config.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ConfigError, GatewayConfig, MetaConfig, Role, StorageConfig, closest};

/// The config of one role.
pub trait RoleConfig: DeserializeOwned + Serialize {
    /// The role.
    const ROLE: Role;

    /// Completes what depends on other keys, and checks what concerns several.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn validate(&mut self) -> Result<(), String>;
}

/// A config of whichever role its file names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AnyConfig {
    /// `role = "meta"`.
    Meta(MetaConfig),
    /// `role = "storage"`.
    Storage(StorageConfig),
    /// `role = "gateway"`.
    Gateway(GatewayConfig),
}

impl AnyConfig {
    /// Which role it is.
    pub fn role(&self) -> Role {
        match self {
            Self::Meta(_) => Role::Meta,
            Self::Storage(_) => Role::Storage,
            Self::Gateway(_) => Role::Gateway,
        }
    }
}

/// Reads the config of a daemon of role `C`.
///
/// # Errors
/// If the file cannot be read, is another role's, has a key that is not known or a value that is no good.
pub fn load<C: RoleConfig>(file: &Path) -> Result<C, ConfigError> {
    let text = read(file)?;
    let role = role_of(file, &text)?;
    if role != C::ROLE {
        let message = format!(
            "this is the config of a {role}: start it with `sluice {role} --config {}`",
            file.display()
        );
        return Err(ConfigError::whole(file, message));
    }
    parse(file, &text)
}

/// Reads a config of any role.
///
/// # Errors
/// Those of [`load`].
pub fn load_any(file: &Path) -> Result<AnyConfig, ConfigError> {
    let text = read(file)?;
    Ok(match role_of(file, &text)? {
        Role::Meta => AnyConfig::Meta(parse(file, &text)?),
        Role::Storage => AnyConfig::Storage(parse(file, &text)?),
        Role::Gateway => AnyConfig::Gateway(parse(file, &text)?),
    })
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file)
        .map_err(|error| ConfigError::whole(file, format!("cannot be read: {error}")))
}

fn role_of(file: &Path, text: &str) -> Result<Role, ConfigError> {
    #[derive(Deserialize)]
    struct OnlyRole {
        role: Option<Role>,
    }
    let from_toml = |error| ConfigError::from_toml(file, text, &error);
    let only: OnlyRole = toml::from_str(text).map_err(from_toml)?;
    only.role.ok_or_else(|| {
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        let hint = match closest("role", table.keys().map(String::as_str)) {
            Some(mistyped) => format!("did you mean `role` where it says `{mistyped}`?"),
            None => {
                "say for which daemon it is: role = \"meta\", \"storage\" or \"gateway\"".to_owned()
            }
        };
        ConfigError {
            hint: Some(hint),
            ..ConfigError::whole(file, "missing key `role`")
        }
    })
}

fn parse<C: RoleConfig>(file: &Path, text: &str) -> Result<C, ConfigError> {
    let from_toml = |error| ConfigError::from_toml(file, text, &error);
    let mut config: C = toml::from_str(text).map_err(from_toml)?;
    let whole = |message| ConfigError::whole(file, message);
    config.validate().map_err(whole)?;
    Ok(config)
}
