//! Asking and steering a running Sluice.
//!
//! One code path for both kinds: a [`Cluster`] is a connection to the metadata service and a transport to the storage
//! daemons that its map names. `sluice up` serves both on loopback ports that it notes in `DIR/admin.json`
//! ([`Endpoints`]); a real cluster's daemons serve them anyway. Each question is a function over a [`Cluster`] that gives back
//! a value; [`crate::cli`] shows it as a table or as JSON.

mod activity;
mod check;
mod connect;
mod endpoints;
mod file_layout;
mod locks;
mod scrub;
mod set_layout;
mod status;

pub use activity::{SessionLine, WriteLine};
pub use check::{CheckReport, check};
pub use connect::Cluster;
pub use endpoints::Endpoints;
pub use file_layout::{FileLayout, TargetShare, file_layout};
pub use locks::{LockFilter, LockLine, clear_locks, locks};
pub use scrub::{DamagedChunk, ScrubReport, scrub};
pub use set_layout::{LayoutChange, set_layout};
pub use status::{ClusterStatus, TargetLine, TargetSpace, status};
