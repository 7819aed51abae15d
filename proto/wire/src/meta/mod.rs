//! The metadata service as its callers see it.
//!
//! One trait, [`Metadata`], is implemented by the service itself (direct call in one process) and by
//! its tonic client; one enum of operations goes through it, so that recording a reply, retrying,
//! measuring and encoding are each written once.

mod operations;
mod service;

pub use operations::*;
pub use service::{CallContext, Metadata, MetadataExt};
