//! Loads an NFSv3 server and says how fast it was and what it cost.
//!
//! Without `--address` it starts a `sluice up` of its own on a fresh data directory beside the build, so that
//! two runs compare; with it, any NFSv3 server can be measured by the same loads.

#![expect(
    clippy::disallowed_methods,
    reason = "a bench measures real time and wants a fresh name"
)]

mod loads;
mod measure;
mod report;
mod server;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use sluice_tests::nfs_client::NfsClient;
use sluice_tests::nfs_client::files::make_dir;

use crate::loads::{Load, Setting};
use crate::server::Server;

/// Loads an NFSv3 server and says how fast it was and what it cost.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  sluice-bench --sluice target/release/sluice          start `sluice up` and measure it
  sluice-bench --address 127.0.0.1:2049 --pid 4711     measure a server that runs
  sluice-bench --sluice target/release/sluice --only read --json")]
struct Arguments {
    /// The program to start and measure.
    #[arg(long, required_unless_present = "address")]
    sluice: Option<PathBuf>,
    /// A running server's NFS port (NFS and MOUNT on it) instead of one started here.
    #[arg(long, conflicts_with = "sluice")]
    address: Option<SocketAddr>,
    /// The process whose CPU time is counted, with --address.
    #[arg(long, requires = "address")]
    pid: Option<u32>,
    /// The exported path to mount.
    #[arg(long, default_value = "/")]
    export: String,
    /// Only loads whose name has this in it.
    #[arg(long, default_value = "")]
    only: String,
    /// Calls in flight.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
    /// Size of the files that are read and written, in MiB.
    #[arg(long, default_value_t = 1024)]
    file_mib: u64,
    /// Small calls a load.
    #[arg(long, default_value_t = 20_000)]
    calls: u64,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let server = match (&arguments.sluice, arguments.address) {
        (Some(program), _) => Server::start(program)?,
        (None, Some(address)) => Server::running(address, arguments.pid),
        (None, None) => anyhow::bail!("give --sluice PROGRAM or --address IP:PORT"),
    };
    // One thread for the load: the other core is the server's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let results = runtime.block_on(run(&arguments, &server))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", report::table(&results));
    }
    Ok(())
}

async fn run(arguments: &Arguments, server: &Server) -> Result<Vec<report::Row>> {
    let (client, root) = NfsClient::connect(server.address, &arguments.export)
        .await
        .with_context(|| format!("mounting {} from {}", arguments.export, server.address))?;
    let folder = format!("bench-{:08x}", rand::random::<u32>());
    let setting = Setting {
        directory: make_dir(&client, root, &folder).await?,
        client,
        in_flight: arguments.in_flight.max(1),
        file_bytes: arguments.file_mib.max(1) << 20,
        calls: arguments.calls.max(1),
    };
    let mut rows = Vec::new();
    for load in Load::ALL {
        if !load.name().contains(&arguments.only) && !load.prepares() {
            continue;
        }
        eprintln!("{} ...", load.name());
        rows.push(
            load.run(&setting, server)
                .await
                .with_context(|| load.name())?,
        );
    }
    Ok(rows)
}
