//! The `sluice` program: its command line, config files, and the wiring of the crates below it into processes.
//!
//! Nothing here decides what a file system does. [`up`] is a whole cluster in one process, by direct calls; [`daemons`] are
//! its parts as processes of their own; [`admin`] asks a running one; [`config`] is what people write; [`health`] and
//! [`metrics`] are what machines read.

pub mod admin;
pub mod cli;
pub mod cluster_key;
pub mod config;
pub mod daemons;
pub mod data_dir;
pub mod explain;
pub mod health;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod mount_line;
pub mod signals;
pub mod up;
pub mod wiring;
