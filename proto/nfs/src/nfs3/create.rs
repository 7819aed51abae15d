//! CREATE (RFC 1813 section 3.3.8), and what everything that creates yields.

use super::{DirectoryEntryName, Failed, FileHandle, Procedure, SetAttributes, WccData, fattr3};
use crate::XdrError;
use crate::rpc::call::remote_call;
use crate::xdr::{Decode, Decoder, Encode, Encoder, wire_struct};

/// Bytes of the verifier that makes an exclusive CREATE safe to repeat (NFS3_CREATEVERFSIZE).
pub const EXCLUSIVE_VERIFIER_LENGTH: usize = 8;

/// What a file that is already there means, and what the new one is given.
#[derive(Debug, Clone, Copy)]
pub enum CreateHow {
    /// Take a file that is there.
    Unchecked(SetAttributes),
    /// Fail if there is one.
    Guarded(SetAttributes),
    /// Fail if there is one, unless it was created with this verifier.
    Exclusive([u8; EXCLUSIVE_VERIFIER_LENGTH]),
}

impl Encode for CreateHow {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Unchecked(attributes) => {
                encoder.u32(0);
                attributes.encode(encoder);
            }
            Self::Guarded(attributes) => {
                encoder.u32(1);
                attributes.encode(encoder);
            }
            Self::Exclusive(verifier) => {
                encoder.u32(2);
                verifier.encode(encoder);
            }
        }
    }
}

impl<'a> Decode<'a> for CreateHow {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        match decoder.enumeration("createmode3", |value| (value <= 2).then_some(value))? {
            0 => SetAttributes::decode(decoder).map(Self::Unchecked),
            1 => SetAttributes::decode(decoder).map(Self::Guarded),
            _ => decoder.fixed().map(Self::Exclusive),
        }
    }
}

wire_struct! {
    /// Arguments of CREATE.
    #[derive(Debug, Clone, Copy)]
    pub struct CreateArgs<'a> {
        /// The new name.
        pub place: DirectoryEntryName<'a>,
        /// How.
        pub how: CreateHow,
    }
}

wire_struct! {
    /// What CREATE, MKDIR, SYMLINK and MKNOD yield.
    #[derive(Debug, Clone, Copy)]
    pub struct Created {
        /// The new object.
        pub object: Option<FileHandle>,
        /// Its attributes.
        pub attributes: Option<fattr3>,
        /// The directory before and after.
        pub directory_wcc: WccData,
    }
}

/// Result of CREATE; a failure carries the directory before and after.
pub type CreateResult = Result<Created, Failed<WccData>>;

remote_call!(Nfs, Procedure::Create, CreateArgs<'_> => CreateResult);
