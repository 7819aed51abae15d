//! What crosses a wire inside the cluster: the operations of the metadata service and of storage as plain
//! Rust values, the traits that serve them, and the protobuf messages they travel as.
//!
//! Layers above use the values and traits ([`meta`], [`storage`]) and cannot tell whether a call
//! crosses a network; only this crate knows the protobuf form. Below both lie [`links`]: how members of a cluster prove to one
//! another that they are, before anything else is said.

mod convert;
mod error;
mod generated;
pub mod links;
pub mod meta;
pub mod metrics;
#[cfg(test)]
mod sample;
pub mod storage;

pub use error::WireError;
