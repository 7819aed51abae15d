//! The striping client: what gateways, administration and tests use to reach the cluster's data.
//!
//! [`Client`] cuts reads and writes at chunk borders, sends the pieces to the targets that the cluster map names,
//! in parallel, and sends again what storage could not take at once. [`reclaim`] frees the storage of removed
//! files; [`check`] compares what metadata and storage say of each other.

mod boots;
mod budget;
pub mod check;
mod client;
mod config;
#[cfg(test)]
mod fakes;
mod map;
pub mod metrics;
mod operations;
pub mod reclaim;
mod request;
mod route;
mod session;

pub use client::Client;
pub use config::ClientConfig;
pub use operations::{CommitReceipt, CommitScope, WriteReceipt};
