//! `sluice config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{print, print_json};
use crate::cluster_key::ClusterKey;
use crate::config::{self, AnyConfig, Role};

/// Arguments of `sluice config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a config file and print what is in effect, defaults included
    #[command(
        after_help = "Examples:\n  sluice config check /etc/sluice/gateway.toml\n  \
                            sluice config check --json gateway.toml | jq .effective.cache"
    )]
    Check {
        /// The file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a commented example
    #[command(after_help = "Example:\n  sluice config example storage > /etc/sluice/storage.toml")]
    Example {
        /// For which daemon
        role: Role,
    },
    /// Make a cluster key: once a cluster, then copy it to all its machines
    #[command(after_help = "Example:\n  sluice config new-key /etc/sluice/cluster.key")]
    NewKey {
        /// The file, which must not be there yet
        file: PathBuf,
    },
}

#[derive(Debug, Serialize)]
struct Checked<'config> {
    role: Role,
    effective: &'config AnyConfig,
}

pub(super) fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        ConfigCommand::Check { file, json } => {
            let config = config::load_any(file)?;
            let checked = Checked {
                role: config.role(),
                effective: &config,
            };
            if *json {
                print_json(&checked)?;
            } else {
                let effective = toml::to_string(&config)?;
                let file = file.display();
                print(&format!(
                    "# {file}: good, the config of a {}. In effect:\n\n{effective}",
                    checked.role
                ))?;
            }
        }
        ConfigCommand::Example { role } => print(config::example(*role))?,
        ConfigCommand::NewKey { file } => {
            ClusterKey::create(file)?;
            eprintln!("made {}", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
