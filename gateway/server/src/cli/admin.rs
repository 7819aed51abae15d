//! `sluice admin`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sluice_wire::links::Links;

use super::locks::{self, LocksArgs};
use super::{Progress, print, print_json, small_runtime, table};
use crate::admin::{self, CheckReport, Cluster, ClusterStatus, FileLayout, LayoutChange};
use crate::cluster_key::ClusterKey;
use crate::config::{ByteSize, HostPort};
use crate::wiring;

/// Arguments of `sluice admin`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        sluice admin status                                    of the `sluice up` on ./sluice-data\n  \
        sluice admin --data /srv/sluice status --json          of another one\n  \
        sluice admin --meta 10.0.0.1:7400 status               of a cluster, on a machine that has its key\n  \
        sluice admin file layout /films/reel-7.mov             where a file's chunks lie\n  \
        sluice admin layout set /films --chunk 4MiB            for the files made there from now on\n  \
        sluice admin locks                                     who holds which locks, and who waits\n  \
        sluice admin check                                     metadata and storage agree\n  \
        sluice admin scrub                                     all that is stored can be read")]
pub struct AdminArgs {
    /// The directory of the `sluice up` to ask
    #[arg(long, value_name = "DIR", default_value = "sluice-data", global = true)]
    data: PathBuf,
    /// The metadata service of the cluster to ask instead
    #[arg(long, value_name = "HOST:PORT", global = true)]
    meta: Option<HostPort>,
    /// The key of that cluster
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/sluice/cluster.key",
        global = true
    )]
    key: PathBuf,
    /// That cluster has no key: its daemons run with insecure_links
    #[arg(long, conflicts_with = "key", global = true)]
    insecure_links: bool,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Show targets, space, what is queued, who is there and which files are being written; exits with 1 if a target is not as it should be
    Status,
    /// Ask about a file
    File {
        #[command(subcommand)]
        command: FileCommand,
    },
    /// Steer where new files' chunks go
    Layout {
        #[command(subcommand)]
        command: LayoutCommand,
    },
    /// Show locks of files, who holds them and who waits; release them by force
    Locks(LocksArgs),
    /// Check that metadata and storage agree, and that each is sound; exits with 1 if not
    Check,
    /// Read all that is stored and name the chunks that are damaged; exits with 1 if there are any
    Scrub,
}

#[derive(Debug, Subcommand)]
enum FileCommand {
    /// Show where a file's chunks lie
    Layout {
        /// From the file system's root, as in /films/reel-7.mov
        path: String,
    },
}

#[derive(Debug, Subcommand)]
enum LayoutCommand {
    /// Set what a directory gives to the files and directories made in it from now on
    Set {
        /// The directory, from the file system's root
        path: String,
        /// Size of a chunk: a power of two from 64KiB to 64MiB
        #[arg(long, value_name = "SIZE", required_unless_present = "stripe")]
        chunk: Option<ByteSize>,
        /// Over how many placement groups a file is spread: 1 to 1024
        #[arg(long, value_name = "WIDTH")]
        stripe: Option<u32>,
    },
}

pub(super) fn run(args: &AdminArgs) -> anyhow::Result<ExitCode> {
    small_runtime()?.block_on(async {
        let cluster = match &args.meta {
            Some(address) => Cluster::connect(address, &links(args)?).await?,
            None => Cluster::connect_local(&args.data).await?,
        };
        match &args.command {
            AdminCommand::Status => status(&cluster, args.json).await,
            AdminCommand::File {
                command: FileCommand::Layout { path },
            } => show_layout(&admin::file_layout(&cluster, path).await?, args.json),
            AdminCommand::Layout {
                command:
                    LayoutCommand::Set {
                        path,
                        chunk,
                        stripe,
                    },
            } => {
                let change = LayoutChange {
                    chunk_size: *chunk,
                    stripe_width: *stripe,
                };
                admin::set_layout(&cluster, path, change).await?;
                show_layout(&admin::file_layout(&cluster, path).await?, args.json)
            }
            AdminCommand::Locks(locks) => locks::run(&cluster, locks, args.json).await,
            AdminCommand::Check => check(&cluster, args.json).await,
            AdminCommand::Scrub => scrub(&cluster, args.json).await,
        }
    })
}

fn links(args: &AdminArgs) -> anyhow::Result<Links> {
    if args.insecure_links {
        return Ok(Links::Open);
    }
    let key = ClusterKey::load(&args.key);
    let key = key.context("give the cluster's key with --key FILE")?;
    Ok(wiring::keyed_links(&key))
}

async fn status(cluster: &Cluster, json: bool) -> anyhow::Result<ExitCode> {
    let status = admin::status(cluster)
        .await
        .context("the cluster's status cannot be read")?;
    if json {
        print_json(&status)?;
    } else {
        print(&status_text(&status))?;
    }
    Ok(exit_code(status.is_healthy()))
}

fn status_text(status: &ClusterStatus) -> String {
    let rows: Vec<_> = status
        .targets
        .iter()
        .map(|target| {
            let cell = |value: &dyn Fn(&admin::TargetSpace) -> String| {
                target.space.as_ref().map_or_else(|| "?".to_owned(), value)
            };
            let failed = target.space.is_some_and(|space| space.failed);
            [
                target.id.to_string(),
                if failed { "failed" } else { target.state }.to_owned(),
                if target.address.is_empty() {
                    "here".to_owned()
                } else {
                    target.address.clone()
                },
                target.groups.to_string(),
                cell(&|space| people_size(space.capacity_bytes)),
                cell(&|space| people_size(space.used_bytes)),
                cell(&|space| space.chunks.to_string()),
                cell(&|space| people_size(space.unstable_bytes)),
                cell(&|space| (space.device_errors + space.checksum_errors).to_string()),
            ]
        })
        .collect();
    let heads = [
        "target", "state", "address", "groups", "capacity", "used", "chunks", "unstable", "errors",
    ];
    let mut text = format!(
        "file system  {}\nmap          version {}, {} placement groups\nspace        {} of {} used\n\
         inodes       {} used, {} removed files to free\n\n{}",
        status.file_system,
        status.map_version,
        status.placement_groups,
        people_size(status.used_bytes),
        people_size(status.capacity_bytes),
        status.inodes_used,
        status.removals_queued,
        table(heads, &rows)
    );
    for target in &status.targets {
        if let Some(error) = &target.error {
            text.push_str(&format!("target {} does not answer: {error}\n", target.id));
        }
    }
    text + &activity_text(status)
}

/// Who is there, and who writes what.
fn activity_text(status: &ClusterStatus) -> String {
    let sessions = status.sessions.iter().map(|session| {
        [
            session.session.to_string(),
            session.name.clone(),
            people_time(session.silent_seconds),
        ]
    });
    let writes = status.writes.iter().map(|write| {
        let gone = || "gone".to_owned();
        [
            write.inode.to_string(),
            write.session.to_string(),
            write.gateway.clone().unwrap_or_else(gone),
            people_time(write.age_seconds),
        ]
    });
    let (sessions, writes): (Vec<_>, Vec<_>) = (sessions.collect(), writes.collect());
    let mut text = String::new();
    if !sessions.is_empty() {
        let heads = ["session", "who", "renewed before"];
        text.push_str(&format!("\n{}", table(heads, &sessions)));
    }
    if !writes.is_empty() {
        let heads = ["file being written", "session", "by", "for"];
        text.push_str(&format!("\n{}", table(heads, &writes)));
    }
    if status.writes_cut_off {
        text.push_str("... and more\n");
    }
    text
}

fn show_layout(layout: &FileLayout, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        print_json(layout)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!(
        "{} {}: inode {}, {} bytes, chunks of {}, over {} placement groups, {} copy\n",
        layout.kind,
        layout.path,
        layout.inode,
        layout.size_bytes,
        ByteSize::new(u64::from(layout.chunk_bytes)),
        layout.stripe_width,
        layout.replicas
    );
    let rows: Vec<_> = layout
        .targets
        .iter()
        .map(|share| {
            [
                share.target.to_string(),
                share.chunks.to_string(),
                share.bytes.to_string(),
                share.allocated_bytes.to_string(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(["target", "chunks", "bytes", "allocated"], &rows));
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

async fn check(cluster: &Cluster, json: bool) -> anyhow::Result<ExitCode> {
    let progress = Progress::start(json);
    let report: CheckReport = admin::check(cluster, |text| progress.show(text)).await?;
    drop(progress);
    if json {
        print_json(&report)?;
    } else {
        print(&report.text())?;
    }
    Ok(exit_code(report.is_clean()))
}

async fn scrub(cluster: &Cluster, json: bool) -> anyhow::Result<ExitCode> {
    let progress = Progress::start(json);
    let report = admin::scrub(cluster, |text| progress.show(text)).await?;
    drop(progress);
    if json {
        print_json(&report)?;
    } else {
        print(&report.text())?;
    }
    Ok(exit_code(report.is_clean()))
}

fn exit_code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A size to read, not to calculate with: `1.5 GiB`.
fn people_size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// A time to read: `1.5 s`, `3 min`.
fn people_time(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 3600.0;
    if seconds < MINUTE {
        format!("{seconds:.1} s")
    } else if seconds < HOUR {
        format!("{:.0} min", (seconds / MINUTE).floor())
    } else {
        format!("{:.0} h", (seconds / HOUR).floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(people_time(0.04), "0.0 s");
        assert_eq!(people_time(59.9), "59.9 s");
        assert_eq!(people_time(119.0), "1 min");
        assert_eq!(people_time(7200.0), "2 h");
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(people_size(0), "0 B");
        assert_eq!(people_size(1536), "1.5 KiB");
        assert_eq!(people_size(3 << 40), "3.0 TiB");
    }
}
