//! What can be wrong with a PROXY header.

use thiserror::Error;

/// What is wrong with a PROXY header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// The connection begins with something else.
    #[error("it does not begin with a PROXY protocol header of version 2")]
    NoHeader,
    /// A version other than 2.
    #[error("version {0} of the PROXY protocol, and only 2 is known")]
    Version(u8),
    /// A command other than LOCAL and PROXY.
    #[error("command {0} of a PROXY header, and only 0 and 1 are known")]
    Command(u8),
    /// The client is not a TCP client over IPv4 or IPv6.
    #[error(
        "a PROXY header with address family and transport {0:#04x}: TCP over IPv4 or IPv6 was expected"
    )]
    Family(u8),
    /// Longer than is taken.
    #[error("a PROXY header of {found} bytes, over the limit of {limit}")]
    TooLong {
        /// Its whole length, in bytes.
        found: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// Shorter than its own parts.
    #[error("a PROXY header with {found} bytes left where {expected} are needed")]
    TooShort {
        /// How many bytes a part of it takes.
        expected: usize,
        /// How many there are.
        found: usize,
    },
}
