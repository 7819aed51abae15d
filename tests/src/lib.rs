//! What the end-to-end tests are made of: real NFS clients, real clusters, and models to check
//! them against. The tests themselves are in `tests/tests/`, one file a topic.

pub mod cluster;
pub mod dashboards;
pub mod effort;
pub mod guest;
pub mod model;
pub mod nfs_client;
pub mod prometheus;
pub mod scratch;
pub mod suite;
