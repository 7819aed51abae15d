//! The command line: what can be asked, and the way from there to the code that does it.

mod admin;
mod config;
mod daemon;
mod locks;
mod output;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use output::{Progress, print, print_json, table};
pub use up::UpArgs;

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(
    name = "sluice",
    version,
    about = "A parallel file system that every machine can already mount",
    after_help = "Examples:\n  \
        sluice up                                  serve ./sluice-data on this machine\n  \
        sluice up --listen 192.168.1.10            the same, for other machines too\n  \
        sluice admin status                        how it is\n  \
        sluice config example gateway              a commented config of a real cluster's daemon\n\n\
        Logs go to stderr. Documentation: docs/OPERATIONS.md, docs/CONFIG.md."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process: metadata, storage targets and a gateway
    Up(UpArgs),
    /// Run the metadata service of a cluster
    Meta(daemon::DaemonArgs),
    /// Run a storage daemon of a cluster
    Storage(daemon::DaemonArgs),
    /// Run a gateway of a cluster: what clients mount
    Gateway(daemon::DaemonArgs),
    /// Check config files, print examples, make keys
    Config(config::ConfigArgs),
    /// Ask and steer a running Sluice
    Admin(admin::AdminArgs),
}

/// Does what the command line says, and tells the status to exit with: 0 done, 1 failed or problems found, 2 wrong
/// usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Up(args) => up::run(args),
        Command::Meta(args) => daemon::run_meta(&args),
        Command::Storage(args) => daemon::run_storage(&args),
        Command::Gateway(args) => daemon::run_gateway(&args),
        Command::Config(args) => config::run(&args),
        Command::Admin(args) => admin::run(&args),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            // Each cause is told once, what to do about it stands in its own line.
            eprintln!("sluice: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A runtime for short commands: one thread.
fn small_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

/// The runtime of a daemon: one worker a core. Blocking threads serve file opens and the metadata engine's flushes; the
/// data plane has its own.
fn daemon_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    const BLOCKING_THREADS_MAX: usize = 128;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder
        .enable_all()
        .thread_name("sluice")
        .max_blocking_threads(BLOCKING_THREADS_MAX);
    Ok(builder.build()?)
}
