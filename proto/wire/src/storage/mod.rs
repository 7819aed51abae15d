//! The data plane as its callers see it: requests to a storage target and their replies. Headers only; the
//! bytes of a read or write travel beside them as a [`sluice_types::Payload`].

mod messages;
mod names;
mod operations;

pub use messages::{decode_reply, decode_request, encode_reply, encode_request};
pub use operations::*;
