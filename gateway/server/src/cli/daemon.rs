//! `sluice meta`, `sluice storage`, `sluice gateway`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::daemon_runtime;
use crate::config::{
    GatewayConfig, LogConfig, MetaConfig, RoleConfig, StorageConfig, TimeSpan, load,
};
use crate::daemons::{self, StopTimes};
use crate::{limits, logging};

/// Arguments of a daemon.
#[derive(Debug, Args)]
#[command(
    after_help = "Make a config from the commented example: sluice config example meta|storage|gateway\n\
                  Check it: sluice config check FILE\nSIGTERM stops the daemon in order; a gateway serves on for its `drain_delay` first, which a second one cuts \
        short. One more ends it at once."
)]
pub struct DaemonArgs {
    /// The config file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run_meta(args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    let config: MetaConfig = prepared(args, |config: &MetaConfig| &config.log)?;
    let times = stop_times(TimeSpan::seconds(0), config.shutdown_deadline);
    daemon_runtime()?.block_on(daemons::run(daemons::Meta::start(config), times))
}

pub(super) fn run_storage(args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    let config: StorageConfig = prepared(args, |config: &StorageConfig| &config.log)?;
    let times = stop_times(TimeSpan::seconds(0), config.shutdown_deadline);
    daemon_runtime()?.block_on(daemons::run(daemons::Storage::start(config), times))
}

pub(super) fn run_gateway(args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    let config: GatewayConfig = prepared(args, |config: &GatewayConfig| &config.log)?;
    let times = stop_times(config.drain_delay, config.shutdown_deadline);
    daemon_runtime()?.block_on(daemons::run(daemons::Gateway::start(config), times))
}

fn stop_times(drain_delay: TimeSpan, shutdown_deadline: TimeSpan) -> StopTimes {
    StopTimes {
        drain_delay: drain_delay.duration(),
        shutdown_deadline: shutdown_deadline.duration(),
    }
}

fn prepared<C: RoleConfig>(args: &DaemonArgs, log: impl Fn(&C) -> &LogConfig) -> anyhow::Result<C> {
    let config: C = load(&args.config)?;
    logging::start(log(&config))?;
    limits::raise_open_files();
    Ok(config)
}
