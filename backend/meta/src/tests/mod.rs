//! Tests of the whole service over its engines, and what all tests of this crate share.

mod checks;
mod concurrency;
mod crash;
mod directory;
mod file_locks;
mod leases;
mod listings;
mod model;
mod random_operations;
mod removals;
mod replies;
mod service;
pub(crate) mod support;
