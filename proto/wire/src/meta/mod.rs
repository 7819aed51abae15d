//! The metadata service as its callers see it.
//!
//! One trait, [`Metadata`], is implemented by the service itself (direct call in one process) and by
//! its tonic client, [`RemoteMetadata`]; one enum of operations goes through it, so that recording a reply,
//! retrying, measuring and encoding are each written once.

mod connector;
mod incoming;
mod messages;
mod operations;
mod remote;
mod repeat;
mod serve;
mod service;

pub use messages::{decode_call, decode_result, encode_call, encode_result};
pub use operations::*;
pub use remote::{RemoteMetadata, RemoteOptions};
pub use serve::{ServeOptions, router, serve};
pub use service::{CallContext, Metadata, MetadataExt};
