//! MKNOD (RFC 1813 section 3.3.11).

use super::{
    Created, DirectoryEntryName, Failed, Procedure, SetAttributes, WccData, ftype3, specdata3,
};
use crate::XdrError;
use crate::rpc::call::remote_call;
use crate::xdr::{Decode, Decoder, Encode, Encoder, wire_struct};

/// What to create.
#[derive(Debug, Clone, Copy)]
pub enum MknodWhat {
    /// A character device.
    CharacterDevice(SetAttributes, specdata3),
    /// A block device.
    BlockDevice(SetAttributes, specdata3),
    /// A socket.
    Socket(SetAttributes),
    /// A named pipe.
    Pipe(SetAttributes),
    /// A type that MKNOD does not make: the caller gets NFS3ERR_BADTYPE.
    Other(ftype3),
}

impl MknodWhat {
    const fn file_type(&self) -> ftype3 {
        match self {
            Self::CharacterDevice(..) => ftype3::NF3CHR,
            Self::BlockDevice(..) => ftype3::NF3BLK,
            Self::Socket(_) => ftype3::NF3SOCK,
            Self::Pipe(_) => ftype3::NF3FIFO,
            Self::Other(file_type) => *file_type,
        }
    }
}

impl Encode for MknodWhat {
    fn encode(&self, encoder: &mut Encoder) {
        self.file_type().encode(encoder);
        match self {
            Self::CharacterDevice(attributes, device) | Self::BlockDevice(attributes, device) => {
                attributes.encode(encoder);
                device.encode(encoder);
            }
            Self::Socket(attributes) | Self::Pipe(attributes) => attributes.encode(encoder),
            Self::Other(_) => {}
        }
    }
}

impl<'a> Decode<'a> for MknodWhat {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(match ftype3::decode(decoder)? {
            ftype3::NF3CHR => {
                Self::CharacterDevice(Decode::decode(decoder)?, Decode::decode(decoder)?)
            }
            ftype3::NF3BLK => Self::BlockDevice(Decode::decode(decoder)?, Decode::decode(decoder)?),
            ftype3::NF3SOCK => Self::Socket(Decode::decode(decoder)?),
            ftype3::NF3FIFO => Self::Pipe(Decode::decode(decoder)?),
            other => Self::Other(other),
        })
    }
}

wire_struct! {
    /// Arguments of MKNOD.
    #[derive(Debug, Clone, Copy)]
    pub struct MknodArgs<'a> {
        /// The new name.
        pub place: DirectoryEntryName<'a>,
        /// What to create.
        pub what: MknodWhat,
    }
}

/// Result of MKNOD; a failure carries the directory before and after.
pub type MknodResult = Result<Created, Failed<WccData>>;

remote_call!(Nfs, Procedure::Mknod, MknodArgs<'_> => MknodResult);
