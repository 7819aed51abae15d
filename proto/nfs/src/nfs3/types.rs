//! What several procedures share (RFC 1813 section 2.6).

use super::{FileHandle, NAME_WIRE_LENGTH_MAX, PATH_WIRE_LENGTH_MAX, fattr3, nfsstat3, wcc_attr};
use crate::XdrError;
use crate::xdr::{BoundedBytes, Decode, Decoder, Encode, Encoder, wire_struct};

/// A file's name in its directory, any bytes.
pub type FileName<'a> = BoundedBytes<'a, NAME_WIRE_LENGTH_MAX>;
/// A symbolic link's text, any bytes.
pub type Path<'a> = BoundedBytes<'a, PATH_WIRE_LENGTH_MAX>;

wire_struct! {
    /// A name in a directory (`diropargs3`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DirectoryEntryName<'a> {
        /// The directory.
        pub directory: FileHandle,
        /// The name in it.
        pub name: FileName<'a>,
    }
}

wire_struct! {
    /// Weak cache consistency: an object before and after a change.
    #[derive(Debug, Clone, Copy, Default)]
    pub struct WccData {
        /// Size and times just before the change, when they were taken atomically with it.
        pub before: Option<wcc_attr>,
        /// Attributes after the change.
        pub after: Option<fattr3>,
    }
}

/// A call that failed: why, and the attributes that come with a failure (`F`).
#[derive(Debug, Clone, Copy)]
pub struct Failed<F> {
    /// Why; never NFS3_OK.
    pub status: nfsstat3,
    /// What the procedure's failure carries.
    pub body: F,
}

/// A failure of which nothing more is known than its status.
impl<F: Default> From<nfsstat3> for Failed<F> {
    fn from(status: nfsstat3) -> Self {
        Self {
            status,
            body: F::default(),
        }
    }
}

impl<S: Encode, F: Encode> Encode for Result<S, Failed<F>> {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Ok(body) => {
                nfsstat3::NFS3_OK.encode(encoder);
                body.encode(encoder);
            }
            Err(Failed { status, body }) => {
                status.encode(encoder);
                body.encode(encoder);
            }
        }
    }
}

impl<'a, S: Decode<'a>, F: Decode<'a>> Decode<'a> for Result<S, Failed<F>> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        match nfsstat3::decode(decoder)? {
            nfsstat3::NFS3_OK => S::decode(decoder).map(Ok),
            status => F::decode(decoder).map(|body| Err(Failed { status, body })),
        }
    }
}
