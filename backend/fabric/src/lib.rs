//! The data plane: requests to storage targets and their replies, each a small header and a
//! payload that is never copied into it.
//!
//! Whoever asks holds a [`Transport`]; whoever serves implements [`Handler`]; neither can tell whether
//! a function call ([`LocalTransport`]) or a socket ([`TcpTransport`], [`TcpServer`]) lies between them.

#[cfg(test)]
mod conformance;
mod error;
mod frame;
mod linked;
mod local;
pub mod metrics;
mod network;
mod pool;
mod tcp;
mod transport;

pub use error::FabricError;
pub use frame::{FRAME_HEADER_BYTES, FrameError, FrameHeader, FrameKind, FrameLimits, RequestId};
pub use linked::LinkedNetwork;
pub use local::{LocalOptions, LocalTransport};
pub use network::{Listener, Network, Stream, SystemNetwork};
pub use pool::{BufferPool, PAYLOAD_ALIGNMENT_BYTES, PooledBuffer};
pub use tcp::{TcpOptions, TcpServer, TcpServerOptions, TcpTransport};
pub use tokio_util::sync::CancellationToken;
pub use transport::{Handler, Reply, Request, Transport};
