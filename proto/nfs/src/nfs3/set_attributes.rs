//! Attributes to set (`sattr3`), as SETATTR and everything that creates takes them.

use super::nfstime3;
use crate::XdrError;
use crate::xdr::{Decode, Decoder, Encode, Encoder, wire_struct};

/// What to do with a time.
#[derive(Debug, Clone, Copy, Default)]
pub enum SetTime {
    /// Leave it.
    #[default]
    DontChange,
    /// The server's clock.
    ServerTime,
    /// This time.
    ClientTime(nfstime3),
}

impl Encode for SetTime {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::DontChange => encoder.u32(0),
            Self::ServerTime => encoder.u32(1),
            Self::ClientTime(time) => {
                encoder.u32(2);
                time.encode(encoder);
            }
        }
    }
}

impl<'a> Decode<'a> for SetTime {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        let how = decoder.enumeration("time_how", |value| match value {
            0 => Some(Self::DontChange),
            1 => Some(Self::ServerTime),
            2 => Some(Self::ClientTime(nfstime3::default())),
            _ => None,
        })?;
        match how {
            Self::ClientTime(_) => nfstime3::decode(decoder).map(Self::ClientTime),
            other => Ok(other),
        }
    }
}

wire_struct! {
    /// Attributes to set; those that are `None` stay as they are.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct SetAttributes {
        /// Permission bits, with setuid, setgid and sticky.
        pub mode: Option<u32>,
        /// Owner.
        pub uid: Option<u32>,
        /// Group.
        pub gid: Option<u32>,
        /// Length of a regular file, in bytes.
        pub size: Option<u64>,
        /// Time of last access.
        pub atime: SetTime,
        /// Time of last change of the data.
        pub mtime: SetTime,
    }
}
