//! Attributes and what sets them.

use sluice_types::{
    Attributes, Device, FileKind, SetAttributes, SetTime, Timestamp, WccAttributes,
};

use super::{enumeration, message, message_field};
use crate::WireError;
use crate::generated::common::v1 as common;

enumeration!(FileKind = common::FileKind, "a kind of file" {
    Regular, Directory, Symlink, Fifo, Socket, BlockDevice, CharacterDevice,
});

message!(Device = common::Device { major, minor });

message!(
    Attributes = common::Attributes {
        kind,
        mode,
        link_count,
        uid,
        gid,
        size_bytes,
        used_bytes,
        device,
        accessed,
        modified,
        changed,
    }
);

message!(
    WccAttributes = common::WccAttributes {
        size_bytes,
        modified,
        changed
    }
);

message!(
    SetAttributes = common::SetAttributes {
        mode,
        uid,
        gid,
        size_bytes,
        accessed,
        modified,
    }
);

impl From<Timestamp> for common::Timestamp {
    fn from(time: Timestamp) -> Self {
        Self {
            seconds: time.seconds(),
            nanoseconds: time.nanoseconds(),
        }
    }
}

impl TryFrom<common::Timestamp> for Timestamp {
    type Error = WireError;

    fn try_from(time: common::Timestamp) -> Result<Self, WireError> {
        if time.nanoseconds >= 1_000_000_000 {
            let found = time.nanoseconds;
            return Err(WireError::invalid("nanoseconds", "below 10^9", found));
        }
        Ok(Self::new(time.seconds, time.nanoseconds))
    }
}

message_field!(Timestamp = common::Timestamp);

impl From<SetTime> for common::SetTime {
    fn from(time: SetTime) -> Self {
        let value = match time {
            SetTime::Now => None,
            SetTime::To(value) => Some(value.into()),
        };
        Self { value }
    }
}

impl TryFrom<common::SetTime> for SetTime {
    type Error = WireError;

    fn try_from(time: common::SetTime) -> Result<Self, WireError> {
        match time.value {
            None => Ok(Self::Now),
            Some(value) => value.try_into().map(Self::To),
        }
    }
}

message_field!(SetTime = common::SetTime);
