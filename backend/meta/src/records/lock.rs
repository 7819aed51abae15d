//! The record of a lock or share of a file.

use std::net::IpAddr;

use bytes::Bytes;
use sluice_types::{Access, LockRange};
use sluice_wire::meta::{LockClient, LockOwner};

use super::codec::{Reader, Writer};
use crate::error::MetaError;

const VERSION: u8 = 1;

/// The kinds of what is held.
const SHARED_RANGE: u8 = 0;
const EXCLUSIVE_RANGE: u8 = 1;
const SHARE: u8 = 2;

/// Bits of an access set.
const READ: u8 = 1;
const WRITE: u8 = 2;

/// What somebody holds of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRecord {
    /// Who.
    pub owner: LockOwner,
    /// The number of the client's life in which it was taken.
    pub client_state: i32,
    /// What.
    pub held: Held,
}

/// A lock of a range, or a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A lock of a range.
    Range {
        /// Which bytes.
        range: LockRange,
        /// Whether nobody else may have a lock there.
        exclusive: bool,
    },
    /// A share: of read and write.
    Share {
        /// What the owner does.
        access: Access,
        /// What others may not.
        deny: Access,
    },
}

impl LockRecord {
    /// Encodes the record's value.
    pub fn encode(&self) -> Bytes {
        let client = &self.owner.client;
        let length = client.name.len() + self.owner.handle.len();
        let mut writer = Writer::new(VERSION, length + 64);
        match self.held {
            Held::Range { range, exclusive } => {
                writer.u8(if exclusive {
                    EXCLUSIVE_RANGE
                } else {
                    SHARED_RANGE
                });
                writer.u64(range.first());
                writer.u64(range.last());
            }
            Held::Share { access, deny } => {
                writer.u8(SHARE);
                writer.u8(access_bits(access));
                writer.u8(access_bits(deny));
            }
        }
        writer.u32(self.client_state.cast_unsigned());
        writer.u32(self.owner.process.cast_unsigned());
        match client.address {
            IpAddr::V4(v4) => writer.blob(&v4.octets()),
            IpAddr::V6(v6) => writer.blob(&v6.octets()),
        }
        writer.blob(&client.name);
        writer.blob(&self.owner.handle);
        writer.finish()
    }

    /// Decodes a value; names in it share its memory.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(bytes: &Bytes) -> Result<Self, MetaError> {
        let mut reader = Reader::new("lock", VERSION, bytes)?;
        let held = held(&mut reader)?;
        let client_state = reader.u32()?.cast_signed();
        let process = reader.u32()?.cast_signed();
        let address = address(&mut reader)?;
        let name = bytes.slice_ref(reader.blob()?);
        let handle = bytes.slice_ref(reader.blob()?);
        reader.end()?;
        Ok(Self {
            owner: LockOwner {
                client: LockClient { name, address },
                process,
                handle,
            },
            client_state,
            held,
        })
    }
}

fn held(reader: &mut Reader<'_>) -> Result<Held, MetaError> {
    match reader.u8()? {
        kind @ (SHARED_RANGE | EXCLUSIVE_RANGE) => {
            let (first, last) = (reader.u64()?, reader.u64()?);
            let range = LockRange::from_bounds(first, last);
            let range =
                range.ok_or_else(|| reader.damaged("a range", format!("{first} to {last}")))?;
            let exclusive = kind == EXCLUSIVE_RANGE;
            Ok(Held::Range { range, exclusive })
        }
        SHARE => Ok(Held::Share {
            access: access(reader)?,
            deny: access(reader)?,
        }),
        kind => Err(reader.damaged("a kind of lock", format!("kind {kind}"))),
    }
}

fn address(reader: &mut Reader<'_>) -> Result<IpAddr, MetaError> {
    let bytes = reader.blob()?;
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| v6())
        .map_err(|_| reader.damaged("an address", format!("{} bytes", bytes.len())))
}

fn access_bits(access: Access) -> u8 {
    let bit = |kind, bit| if access.contains(kind) { bit } else { 0 };
    bit(Access::READ, READ) | bit(Access::WRITE, WRITE)
}

fn access(reader: &mut Reader<'_>) -> Result<Access, MetaError> {
    Ok(match reader.u8()? {
        0 => Access::NONE,
        READ => Access::READ,
        WRITE => Access::WRITE,
        3 => Access::READ.and(Access::WRITE),
        bits => return Err(reader.damaged("an access set", format!("{bits:#x}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(held: Held) -> LockRecord {
        LockRecord {
            owner: LockOwner {
                client: LockClient {
                    name: Bytes::from_static(b"host"),
                    address: [10, 0, 0, 9].into(),
                },
                process: 7,
                handle: Bytes::from_static(b"7@host"),
            },
            client_state: 3,
            held,
        }
    }

    const OWNER: &[u8] = b"\x03\0\0\0\x07\0\0\0\x04\0\x0a\0\0\x09\x04\0host\x06\x007@host";

    #[test]
    fn golden_bytes() {
        let range = LockRange::new(0x10, 0).unwrap();
        let exclusive = record(Held::Range {
            range,
            exclusive: true,
        });
        let bytes = exclusive.encode();
        let head = b"\x01\x01\x10\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(bytes, [&head[..], OWNER].concat());
        assert_eq!(LockRecord::decode(&bytes).unwrap(), exclusive);

        let share = record(Held::Share {
            access: Access::READ.and(Access::WRITE),
            deny: Access::WRITE,
        });
        let bytes = share.encode();
        assert_eq!(bytes, [b"\x01\x02\x03\x02", OWNER].concat());
        assert_eq!(LockRecord::decode(&bytes).unwrap(), share);
    }

    #[test]
    fn an_ipv6_client_survives() {
        let mut record = record(Held::Share {
            access: Access::NONE,
            deny: Access::READ,
        });
        record.owner.client.address = std::net::Ipv6Addr::LOCALHOST.into();
        assert_eq!(LockRecord::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn damage_is_an_error() {
        let good = record(Held::Range {
            range: LockRange::WHOLE,
            exclusive: false,
        });
        let good = good.encode();
        for length in 0..good.len() {
            assert!(LockRecord::decode(&good.slice(..length)).is_err());
        }
        for (at, value) in [(0, 2), (1, 3), (2, 1), (10, 0), (26, 5)] {
            let mut bad = good.to_vec();
            bad[at] = value;
            if at == 2 {
                bad[10..18].fill(0);
            }
            let wrong = LockRecord::decode(&bad.into());
            assert!(wrong.is_err() || at == 10, "{at}");
        }
    }
}
