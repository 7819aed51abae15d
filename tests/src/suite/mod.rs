//! File-system test suites and everyday programs, run in a guest on a mounted Sluice: how each is
//! called, and how its report is read.

mod applications;
mod fsx;
mod pjdfstest;

pub use applications::{git_clone, sqlite, tree_round_trip};
pub use fsx::fsx;
pub use pjdfstest::{PjdfstestReport, pjdfstest};

/// A shell line that mounts the server's root on `/run/mnt`, with `options` (may be empty).
pub fn mount_line(options: &str) -> String {
    let flag = if options.is_empty() { "" } else { "-o" };
    format!("set -e; mount -t nfs {flag} {options} $SERVER:/ /run/mnt; cd /run/mnt\n")
}
