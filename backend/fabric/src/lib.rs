//! The data plane: requests to storage targets and their replies, each a small header and a
//! payload that is never copied into it.
//!
//! Whoever asks holds a [`Transport`]; whoever serves implements [`Handler`]; neither can tell whether
//! a function call, a socket or a remote memory write lies between them.

mod error;
mod transport;

pub use error::FabricError;
pub use transport::{Handler, Reply, Request, Transport};
