//! A running Sluice: one process (`sluice up`), or a metadata service, four storage daemons and one or more
//! gateways, each a process of its own.
//!
//! Every [`Cluster`] lives in a test network of its own, so its ports are always the same and never
//! taken; guests mount it there, and [`Cluster::client`] makes clients whose sockets are there. Its
//! data is in a temporary folder on a real disk. Daemons can be killed, stopped and started one by
//! one, and are killed when the cluster is dropped.

mod configs;
mod daemon;
mod http;
mod metrics;
mod program;
mod running;

pub use daemon::Daemon;
pub use http::{HttpAnswer, http_get};
pub use metrics::Metrics;
pub use program::program;
pub use running::{Cluster, GATEWAYS_MAX, Settings, Shape};
