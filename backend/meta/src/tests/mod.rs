//! Tests of the whole service over its engines, and what all tests of this crate share.

mod checks;
mod concurrency;
mod crash;
mod directory;
mod model;
mod random_operations;
pub(crate) mod support;
