//! `sluice admin locks`.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::Serialize;

use super::{print, print_json, table};
use crate::admin::{self, Cluster, LockFilter, LockLine};

/// Arguments of `sluice admin locks`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        sluice admin locks                                     all that are held and waited for\n  \
        sluice admin locks --path /db/main.sqlite              of a file\n  \
        sluice admin locks --client node-7 --json              of a client\n  \
        sluice admin locks --clear --client node-7             a client that will never come back\n  \
        sluice admin locks --clear --path /db/main.sqlite --yes")]
pub struct LocksArgs {
    /// Only of this file, from the file system's root
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Only of clients that call themselves this (host name, short or long)
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Release them by force, also if programs rely on them: for clients that are gone for good; needs --path or --client
    #[arg(long)]
    clear: bool,
    /// Do not ask before releasing
    #[arg(long, requires = "clear")]
    yes: bool,
}

/// What was released.
#[derive(Debug, Serialize)]
struct Cleared {
    released: u64,
}

pub(super) async fn run(
    cluster: &Cluster,
    args: &LocksArgs,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let filter = LockFilter {
        path: args.path.clone(),
        client: args.client.clone(),
    };
    if args.clear {
        return clear(cluster, args, &filter, json).await;
    }
    let locks = admin::locks(cluster, &filter).await?;
    if json {
        print_json(&locks)?;
    } else {
        print(&text(&locks))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn clear(
    cluster: &Cluster,
    args: &LocksArgs,
    filter: &LockFilter,
    json: bool,
) -> anyhow::Result<ExitCode> {
    if filter.path.is_none() && filter.client.is_none() {
        bail!("say whose locks are to be released: --path, --client or both");
    }
    if !args.yes {
        let locks = admin::locks(cluster, filter).await?;
        let held = locks.iter().filter(|lock| !lock.waiting).count();
        if !confirmed(&format!("release {held} locks by force?"))? {
            bail!("nothing was released");
        }
    }
    let released = admin::clear_locks(cluster, filter).await?;
    if json {
        print_json(&Cleared { released })?;
    } else {
        print(&format!("{released} locks released\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks whoever sits at the terminal.
fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("{question} nobody is there to be asked: say --yes");
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

fn text(locks: &[LockLine]) -> String {
    if locks.is_empty() {
        return "no locks\n".to_owned();
    }
    let rows: Vec<_> = locks
        .iter()
        .map(|lock| {
            [
                lock.inode.to_string(),
                if lock.waiting { "waits" } else { "holds" }.to_owned(),
                what(lock),
                range(lock),
                lock.client.clone(),
                lock.address.clone(),
                lock.process.to_string(),
            ]
        })
        .collect();
    let heads = [
        "file", "state", "what", "bytes", "client", "address", "process",
    ];
    table(heads, &rows)
}

fn what(lock: &LockLine) -> String {
    match (lock.access, lock.deny) {
        (Some(access), Some(deny)) => format!("share: {access}, denies {deny}"),
        _ if lock.exclusive => "exclusive".to_owned(),
        _ => "shared".to_owned(),
    }
}

fn range(lock: &LockLine) -> String {
    match (lock.first, lock.last) {
        (None, _) => "-".to_owned(),
        (Some(0), None) => "all".to_owned(),
        (Some(first), None) => format!("{first} to the end"),
        (Some(first), Some(last)) => format!("{first} to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> LockLine {
        LockLine {
            inode: 5,
            kind: "lock",
            waiting: false,
            exclusive: true,
            first: Some(0),
            last: None,
            access: None,
            deny: None,
            client: "node-7".to_owned(),
            address: "10.0.0.7".to_owned(),
            process: 12,
        }
    }

    #[test]
    fn locks_are_shown_in_words() {
        let part = LockLine {
            waiting: true,
            exclusive: false,
            first: Some(10),
            last: Some(19),
            ..lock()
        };
        let share = LockLine {
            kind: "share",
            first: None,
            access: Some("read"),
            deny: Some("write"),
            ..lock()
        };
        let text = text(&[lock(), part, share]);
        for words in [
            "holds  exclusive",
            "all",
            "waits  shared",
            "10 to 19",
            "share: read, denies write",
            "node-7",
        ] {
            assert!(text.contains(words), "no `{words}` in:\n{text}");
        }
        assert_eq!(super::text(&[]), "no locks\n");
    }
}
