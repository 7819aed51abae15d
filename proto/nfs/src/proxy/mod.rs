//! The PROXY protocol, version 2 (haproxy's `doc/proxy-protocol.txt`, section 2.2): with it a TCP proxy says, before the
//! client's first byte, whose connection it passes on.
//!
//! ```text
//! 0   12  signature
//! 12   1  version 2 (high half), command: 0 LOCAL, 1 PROXY
//! 13   1  address family (high half): 0 unspecified, 1 IPv4, 2 IPv6, 3 Unix; transport: 0, 1 stream, 2 datagram
//! 14   2  bytes that follow, big endian
//! 16      addresses and ports of client and server; then type-length-values
//! ```

mod error;
mod header;

pub use error::ProxyError;
pub use header::{FIXED_BYTES, HEADER_BYTES_MAX, ProxyHead, ProxyHeader, Source};

#[cfg(test)]
mod tests;
