//! Fields that are numbers, names or bytes.

use std::net::IpAddr;

use bytes::Bytes;
use sluice_types::{
    Access, BootId, ChunkIndex, ChunkSize, Cookie, DataVersion, FenceEpoch, FileName, FileSystemId,
    Generation, GroupId, InodeId, LeaseTerm, MapVersion, Mode, ReplicaCount, SessionId,
    StripeWidth, TargetId, TargetUuid,
};

use super::Field;
use crate::WireError;

macro_rules! same {
    ($($plain:ty),* $(,)?) => {$(
        impl Field<$plain> for $plain {
            fn to_wire(self) -> $plain {
                self
            }

            fn from_wire(wire: $plain, _field: &'static str) -> Result<Self, WireError> {
                Ok(wire)
            }
        }
    )*};
}

same!(
    u32,
    u64,
    i32,
    i64,
    bool,
    String,
    Bytes,
    Vec<String>,
    Vec<u64>,
    Option<u32>,
    Option<u64>,
    Option<i32>,
    Option<Bytes>
);

macro_rules! number {
    ($($name:ident($inner:ty)),* $(,)?) => {$(
        impl Field<$inner> for $name {
            fn to_wire(self) -> $inner {
                self.raw()
            }

            fn from_wire(wire: $inner, _field: &'static str) -> Result<Self, WireError> {
                Ok(Self::new(wire))
            }
        }

        impl Field<Option<$inner>> for Option<$name> {
            fn to_wire(self) -> Option<$inner> {
                self.map($name::raw)
            }

            fn from_wire(wire: Option<$inner>, _field: &'static str) -> Result<Self, WireError> {
                Ok(wire.map($name::new))
            }
        }

        impl Field<Vec<$inner>> for Vec<$name> {
            fn to_wire(self) -> Vec<$inner> {
                self.into_iter().map($name::raw).collect()
            }

            fn from_wire(wire: Vec<$inner>, _field: &'static str) -> Result<Self, WireError> {
                Ok(wire.into_iter().map($name::new).collect())
            }
        }
    )*};
}

number!(
    BootId(u64),
    ChunkIndex(u32),
    Cookie(u64),
    DataVersion(u64),
    FenceEpoch(u64),
    FileSystemId(u64),
    Generation(u32),
    GroupId(u32),
    LeaseTerm(u64),
    MapVersion(u64),
    SessionId(u64),
    TargetId(u32),
);

impl Field<u64> for InodeId {
    fn to_wire(self) -> u64 {
        self.raw()
    }

    fn from_wire(wire: u64, field: &'static str) -> Result<Self, WireError> {
        Self::new(wire).ok_or_else(|| WireError::invalid(field, "an inode number above zero", wire))
    }
}

/// Zero stands for none.
impl Field<u64> for Option<InodeId> {
    fn to_wire(self) -> u64 {
        self.map_or(0, InodeId::raw)
    }

    fn from_wire(wire: u64, _field: &'static str) -> Result<Self, WireError> {
        Ok(InodeId::new(wire))
    }
}

impl Field<Vec<u64>> for Vec<InodeId> {
    fn to_wire(self) -> Vec<u64> {
        self.into_iter().map(InodeId::raw).collect()
    }

    fn from_wire(wire: Vec<u64>, field: &'static str) -> Result<Self, WireError> {
        let inodes = wire.into_iter();
        inodes.map(|raw| Field::from_wire(raw, field)).collect()
    }
}

impl Field<Bytes> for TargetUuid {
    fn to_wire(self) -> Bytes {
        Bytes::copy_from_slice(&self.raw().to_be_bytes())
    }

    fn from_wire(wire: Bytes, field: &'static str) -> Result<Self, WireError> {
        fixed(&wire, field, "16 bytes").map(|bytes| Self::new(u128::from_be_bytes(bytes)))
    }
}

/// Its 4 or 16 bytes.
impl Field<Bytes> for IpAddr {
    fn to_wire(self) -> Bytes {
        match self {
            Self::V4(v4) => Bytes::copy_from_slice(&v4.octets()),
            Self::V6(v6) => Bytes::copy_from_slice(&v6.octets()),
        }
    }

    fn from_wire(wire: Bytes, field: &'static str) -> Result<Self, WireError> {
        if wire.len() == 4 {
            return fixed::<4>(&wire, field, "4 bytes").map(Self::from);
        }
        fixed::<16>(&wire, field, "4 or 16 bytes").map(Self::from)
    }
}

impl Field<Bytes> for [u8; 8] {
    fn to_wire(self) -> Bytes {
        Bytes::copy_from_slice(&self)
    }

    fn from_wire(wire: Bytes, field: &'static str) -> Result<Self, WireError> {
        fixed(&wire, field, "8 bytes")
    }
}

fn fixed<const N: usize>(
    wire: &[u8],
    field: &'static str,
    expected: &'static str,
) -> Result<[u8; N], WireError> {
    let found = wire.len();
    wire.try_into()
        .map_err(|_| WireError::invalid(field, expected, format_args!("{found} bytes")))
}

impl Field<Bytes> for FileName {
    fn to_wire(self) -> Bytes {
        self.to_bytes()
    }

    fn from_wire(wire: Bytes, field: &'static str) -> Result<Self, WireError> {
        let length = wire.len();
        Self::new(wire).map_err(|error| {
            let found = format_args!("{length} bytes: {error}").to_string();
            WireError::invalid(field, "a name", found)
        })
    }
}

impl Field<u32> for Mode {
    fn to_wire(self) -> u32 {
        u32::from(self.bits())
    }

    fn from_wire(wire: u32, field: &'static str) -> Result<Self, WireError> {
        let mode = Self::new(wire);
        if u32::from(mode.bits()) == wire {
            Ok(mode)
        } else {
            Err(WireError::invalid(field, "12 mode bits", wire))
        }
    }
}

impl Field<Option<u32>> for Option<Mode> {
    fn to_wire(self) -> Option<u32> {
        self.map(Field::to_wire)
    }

    fn from_wire(wire: Option<u32>, field: &'static str) -> Result<Self, WireError> {
        wire.map(|bits| Field::from_wire(bits, field)).transpose()
    }
}

/// Each kind of access and its bit on the wire.
const ACCESS_BITS: [(Access, u32); 3] =
    [(Access::EXECUTE, 1), (Access::WRITE, 2), (Access::READ, 4)];

impl Field<u32> for Access {
    fn to_wire(self) -> u32 {
        let held = ACCESS_BITS
            .into_iter()
            .filter(|(kind, _)| self.contains(*kind));
        held.map(|(_, bit)| bit).sum()
    }

    fn from_wire(wire: u32, field: &'static str) -> Result<Self, WireError> {
        if wire > 7 {
            return Err(WireError::invalid(field, "3 access bits", wire));
        }
        let held = ACCESS_BITS.into_iter().filter(|(_, bit)| wire & bit != 0);
        Ok(held.fold(Self::NONE, |access, (kind, _)| access.and(kind)))
    }
}

macro_rules! checked_number {
    ($($name:ident, $value:ident, $expected:literal);* $(;)?) => {$(
        impl Field<u32> for $name {
            fn to_wire(self) -> u32 {
                self.$value()
            }

            fn from_wire(wire: u32, field: &'static str) -> Result<Self, WireError> {
                Self::new(wire).map_err(|_| WireError::invalid(field, $expected, wire))
            }
        }
    )*};
}

checked_number!(
    ChunkSize, bytes, "a power of two from 64 KiB to 64 MiB";
    StripeWidth, groups, "1 to 1024";
    ReplicaCount, copies, "1 to 3";
);
