//! What the metadata service keeps with a waiter for the gateway that will tell it of its lock, be it this one or another.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | format: 1 |
//! | 1 | length of the address: 0, 4 or 16 |
//! | 2.. | the address at which the client knows the server, then the file handle |

use std::net::IpAddr;

use bytes::Bytes;
use sluice_proto_nfs::nfs3::HANDLE_LENGTH_MAX;

const FORMAT: u8 = 1;

/// How a client is to be told of its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallbackNote {
    /// The address at which it knows this server.
    pub(crate) server: Option<IpAddr>,
    /// The file's handle as it has it.
    pub(crate) handle: Bytes,
}

impl CallbackNote {
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = vec![FORMAT];
        match self.server {
            None => bytes.push(0),
            Some(IpAddr::V4(v4)) => {
                bytes.push(4);
                bytes.extend_from_slice(&v4.octets());
            }
            Some(IpAddr::V6(v6)) => {
                bytes.push(16);
                bytes.extend_from_slice(&v6.octets());
            }
        }
        bytes.extend_from_slice(&self.handle);
        bytes.into()
    }

    /// `None` if it is none of this format, as from a gateway of another version.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Self> {
        let [FORMAT, length, ..] = bytes[..] else {
            return None;
        };
        let (address, handle) = bytes[2..].split_at_checked(usize::from(length))?;
        let v4 = <[u8; 4]>::try_from(address).map(IpAddr::from);
        let v6 = <[u8; 16]>::try_from(address).map(IpAddr::from);
        let server = match length {
            0 => None,
            _ => Some(v4.or(v6).ok()?),
        };
        (handle.len() <= HANDLE_LENGTH_MAX).then(|| Self {
            server,
            handle: bytes.slice_ref(handle),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn a_note_survives_and_another_is_none() {
        let servers = [
            None,
            Some(Ipv4Addr::LOCALHOST.into()),
            Some(Ipv6Addr::LOCALHOST.into()),
        ];
        for server in servers {
            let handle = Bytes::from_static(b"handle");
            let note = CallbackNote { server, handle };
            let bytes = note.encode();
            assert_eq!(CallbackNote::decode(&bytes), Some(note));
            let whole = if server.is_some() { bytes.len() - 6 } else { 2 };
            for length in 0..whole {
                assert_eq!(CallbackNote::decode(&bytes.slice(..length)), None);
            }
        }
        assert_eq!(CallbackNote::decode(&Bytes::from_static(b"\x02\0h")), None);
        assert_eq!(
            CallbackNote::decode(&Bytes::from_static(b"\x01\x05hhhhh")),
            None
        );
    }
}
