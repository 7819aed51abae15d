//! The header, in two steps: its fixed part says how long the rest is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ProxyError;

/// Bytes of the fixed part.
pub const FIXED_BYTES: usize = 16;

/// Bytes of the longest header that is taken: what every TCP segment has room for, so that it comes in one piece (section 2).
pub const HEADER_BYTES_MAX: usize = 536;

/// Section 2.2: no protocol begins so.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

const VERSION: u8 = 2;

/// Address family and transport, as one byte.
const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Type and length of a type-length-value.
const TLV_HEAD_BYTES: usize = 3;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The proxy's own, as for a health check; or it does not say whose.
    Proxy,
    /// This client's.
    Client(SocketAddr),
}

/// The fixed part of a header that can be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHead {
    is_local: bool,
    family: u8,
    rest_bytes: usize,
}

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// Whose connection it is.
    pub source: Source,
}

impl ProxyHead {
    /// Reads the fixed part.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] when it is none, or one of a header that is not taken.
    pub fn decode(bytes: &[u8; FIXED_BYTES]) -> Result<Self, ProxyError> {
        let [signature @ .., version_command, family, high, low] = bytes;
        if *signature != SIGNATURE {
            return Err(ProxyError::NoHeader);
        }
        if version_command >> 4 != VERSION {
            return Err(ProxyError::Version(version_command >> 4));
        }
        let is_local = match version_command & 0x0f {
            0 => true,
            1 => false,
            other => return Err(ProxyError::Command(other)),
        };
        let rest_bytes = usize::from(u16::from_be_bytes([*high, *low]));
        if FIXED_BYTES + rest_bytes > HEADER_BYTES_MAX {
            return Err(ProxyError::TooLong {
                found: FIXED_BYTES + rest_bytes,
                limit: HEADER_BYTES_MAX,
            });
        }
        Ok(Self {
            is_local,
            family: *family,
            rest_bytes,
        })
    }

    /// Bytes that follow the fixed part, at most [`HEADER_BYTES_MAX`] - [`FIXED_BYTES`].
    pub const fn rest_bytes(&self) -> usize {
        self.rest_bytes
    }
}

impl ProxyHeader {
    /// Reads what follows `head`.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] when it is not as long as `head` says, a part does not fit into it, or the client is no TCP client.
    pub fn decode(head: ProxyHead, rest: &[u8]) -> Result<Self, ProxyError> {
        if rest.len() != head.rest_bytes {
            return Err(ProxyError::TooShort {
                expected: head.rest_bytes,
                found: rest.len(),
            });
        }
        // Section 2.2: of LOCAL everything that follows is skipped, as it is where nothing is said of addresses.
        let source = match (head.is_local, head.family) {
            (true, _) | (false, UNSPECIFIED) => Source::Proxy,
            (false, TCP_OVER_IPV4) => {
                let ([client, _server], ports) = addresses::<4>(rest)?;
                Source::Client(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(client)), ports))
            }
            (false, TCP_OVER_IPV6) => {
                let ([client, _server], ports) = addresses::<16>(rest)?;
                Source::Client(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(client)), ports))
            }
            (false, other) => return Err(ProxyError::Family(other)),
        };
        Ok(Self { source })
    }
}

/// Addresses of client and server, and the client's port; what follows them must be type-length-values.
fn addresses<const N: usize>(rest: &[u8]) -> Result<([[u8; N]; 2], u16), ProxyError> {
    let (client, rest) = take::<N>(rest)?;
    let (server, rest) = take::<N>(rest)?;
    let (client_port, rest) = take::<2>(rest)?;
    let (_server_port, values) = take::<2>(rest)?;
    skip_values(values)?;
    Ok(([client, server], u16::from_be_bytes(client_port)))
}

/// Nothing in them matters here, but what is no list of them is no header.
fn skip_values(mut values: &[u8]) -> Result<(), ProxyError> {
    while !values.is_empty() {
        let ([_kind, high, low], rest) = take::<TLV_HEAD_BYTES>(values)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        values = rest.get(length..).ok_or(ProxyError::TooShort {
            expected: length,
            found: rest.len(),
        })?;
    }
    Ok(())
}

fn take<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), ProxyError> {
    let taken = bytes
        .split_first_chunk()
        .map(|(taken, rest)| (*taken, rest));
    taken.ok_or(ProxyError::TooShort {
        expected: N,
        found: bytes.len(),
    })
}
