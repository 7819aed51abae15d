//! `sluice up`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{daemon_runtime, print};
use crate::config::{ByteSize, CacheConfig, LogConfig, LogFormat, PortmapMode, TimeSpan};
use crate::daemons::{self, StopTimes};
use crate::up::{Running, UpConfig};
use crate::{limits, logging};

/// How long stopping may take.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(30);

/// Arguments of `sluice up`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "When it serves it prints one line on stdout: ready: mount -t nfs IP:/ /mnt\n\
        (with the options that are needed where ports are not the usual ones). Ctrl-C stops it in order; a second one \
        at once. A second start on the same directory finds everything as it was.\n\n\
        Examples:\n  \
        sluice up\n  \
        sluice up --data /srv/sluice --listen 192.168.1.10 --cache-memory 2GiB\n  \
        sluice up --nfs-port 12049 --portmap off      needs no privilege"
)]
pub struct UpArgs {
    /// Where everything is kept; made if missing
    #[arg(long, value_name = "DIR", default_value = "sluice-data")]
    data: PathBuf,
    /// The address to serve on; 0.0.0.0 for all of this machine's
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// The port for NFS and MOUNT
    #[arg(long, value_name = "PORT", default_value_t = 2049)]
    nfs_port: u16,
    /// The port for /metrics, /healthz and /readyz
    #[arg(long, value_name = "PORT", default_value_t = 9464)]
    metrics_port: u16,
    /// How many storage targets the directory gets when it is made
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    targets: u32,
    /// How clients find the ports: answer on port 111, register with the rpcbind that runs, or neither
    #[arg(long, value_enum, default_value_t = PortmapMode::Auto)]
    portmap: PortmapMode,
    /// Blocks of files to keep in memory
    #[arg(long, value_name = "SIZE", default_value_t = CacheConfig::default().memory)]
    cache_memory: ByteSize,
    /// Keep blocks on a disk too, in this directory
    #[arg(long, value_name = "DIR", requires = "cache_size")]
    cache_dir: Option<PathBuf>,
    /// How much of that disk
    #[arg(long, value_name = "SIZE", requires = "cache_dir")]
    cache_size: Option<ByteSize>,
    /// After the signal to stop, how long to serve on while /readyz says so already: for load balancers to notice
    #[arg(long, value_name = "TIME", default_value_t = TimeSpan::seconds(0))]
    drain_delay: TimeSpan,
    /// error, warn, info, debug, trace; or by crate: info,sluice_vfs=debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: String,
    /// The form of log lines
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

pub(super) fn run(args: UpArgs) -> anyhow::Result<ExitCode> {
    logging::start(&LogConfig {
        level: args.log.clone(),
        format: args.log_format,
    })?;
    limits::raise_open_files();
    let times = StopTimes {
        drain_delay: args.drain_delay.duration(),
        shutdown_deadline: SHUTDOWN_DEADLINE,
    };
    let config = args.into_config();
    config.cache.validate().map_err(anyhow::Error::msg)?;
    let starting = async {
        let running = Running::start(config).await?;
        print(&format!("ready: {}\n", running.mount_command()))?;
        Ok(running)
    };
    daemon_runtime()?.block_on(daemons::run(starting, times))
}

impl UpArgs {
    fn into_config(self) -> UpConfig {
        UpConfig {
            listen: self.listen,
            nfs_port: self.nfs_port,
            metrics_port: self.metrics_port,
            targets: self.targets,
            portmap: self.portmap,
            cache: CacheConfig {
                memory: self.cache_memory,
                dir: self.cache_dir,
                size: self.cache_size,
            },
            ..UpConfig::new(self.data)
        }
    }
}
