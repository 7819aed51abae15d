//! The metadata service: names, attributes, layouts, the removal queue and the cluster map, in an
//! ordered key-value store with serializable transactions.
//!
//! From the outside in:
//!
//! * [`MetaService`] carries out the operations of [`sluice_wire::meta::Metadata`]: it locks, runs the operation in a
//!   transaction, retries conflicts, and waits until what the reply shows is durable.
//! * `operations`: each operation as a plain function over a transaction, with its permission checks.
//! * `namespace`: inodes, entries and the removal queue as typed records.
//! * [`records`]: the durable format, in one place.
//! * [`kv`]: the store itself, as a trait with its engines.
//! * `sessions`, `leases`, `writes`: who is there, who answers from memory, and who writes what. `replies`: what must not be done twice.
//!   `file_locks`: the locks that clients take of files. `cluster`: targets, their groups, the map. `check`: whether all records agree.

mod check;
mod cluster;
mod config;
mod error;
mod file_locks;
mod identifiers;
pub mod kv;
mod leases;
mod locks;
pub mod metrics;
mod namespace;
mod operations;
pub mod records;
mod replies;
mod service;
mod sessions;
mod writes;

#[cfg(test)]
mod tests;

pub use config::MetaConfig;
pub use error::MetaError;
pub use operations::LINK_COUNT_MAX;
pub use service::MetaService;
