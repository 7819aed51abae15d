//! `sluice meta`, `sluice storage`, `sluice gateway`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::daemon_runtime;
use crate::config::{GatewayConfig, LogConfig, MetaConfig, RoleConfig, StorageConfig, load};
use crate::daemons;
use crate::{limits, logging};

/// Arguments of a daemon.
#[derive(Debug, Args)]
#[command(
    after_help = "Make a config from the commented example: sluice config example meta|storage|gateway\n\
                  Check it: sluice config check FILE\nSIGTERM stops the daemon in order; a second one at once."
)]
pub struct DaemonArgs {
    /// The config file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run_meta(args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    let config: MetaConfig = prepared(args, |config: &MetaConfig| &config.log)?;
    let deadline = config.shutdown_deadline.duration();
    daemon_runtime()?.block_on(daemons::run(daemons::Meta::start(config), deadline))
}

pub(super) fn run_storage(args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    let config: StorageConfig = prepared(args, |config: &StorageConfig| &config.log)?;
    let deadline = config.shutdown_deadline.duration();
    daemon_runtime()?.block_on(daemons::run(daemons::Storage::start(config), deadline))
}

pub(super) fn run_gateway(args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    let config: GatewayConfig = prepared(args, |config: &GatewayConfig| &config.log)?;
    let deadline = config.shutdown_deadline.duration();
    daemon_runtime()?.block_on(daemons::run(daemons::Gateway::start(config), deadline))
}

fn prepared<C: RoleConfig>(args: &DaemonArgs, log: impl Fn(&C) -> &LogConfig) -> anyhow::Result<C> {
    let config: C = load(&args.config)?;
    logging::start(log(&config))?;
    limits::raise_open_files();
    Ok(config)
}
