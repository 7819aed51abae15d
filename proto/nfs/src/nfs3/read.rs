//! READ (RFC 1813 section 3.3.6).
//!
//! The data of a reply may be megabytes that already lie in buffers: [`ReadOkHead`] is the reply up to
//! the data, after which the sender puts the data itself and [`padding`](crate::xdr::padding).

use super::{Failed, FileHandle, Procedure, fattr3};
use crate::XdrError;
use crate::rpc::call::remote_call;
use crate::xdr::{Decode, Decoder, Encode, Encoder, Opaque, wire_struct};

wire_struct! {
    /// Arguments of READ.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ReadArgs {
        /// The file.
        pub file: FileHandle,
        /// First byte to read.
        pub offset: u64,
        /// Most bytes to read.
        pub count: u32,
    }
}

/// What READ yields, but for the data.
#[derive(Debug, Clone, Copy)]
pub struct ReadOkHead {
    /// The file's attributes.
    pub attributes: Option<fattr3>,
    /// Bytes read.
    pub count: u32,
    /// The read ended at the end of the file.
    pub eof: bool,
}

/// Encodes everything up to the data, its length included.
impl Encode for ReadOkHead {
    fn encode(&self, encoder: &mut Encoder) {
        self.attributes.encode(encoder);
        encoder.u32(self.count);
        encoder.bool(self.eof);
        encoder.u32(self.count);
    }
}

/// What READ yields.
#[derive(Debug, Clone, Copy)]
pub struct ReadOk<'a> {
    /// The file's attributes.
    pub attributes: Option<fattr3>,
    /// Bytes read, as the server says; the same as the data's length unless the server is wrong.
    pub count: u32,
    /// The read ended at the end of the file.
    pub eof: bool,
    /// The data.
    pub data: Opaque<'a>,
}

impl Encode for ReadOk<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        self.attributes.encode(encoder);
        encoder.u32(self.count);
        encoder.bool(self.eof);
        self.data.encode(encoder);
    }
}

impl<'a> Decode<'a> for ReadOk<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            attributes: Decode::decode(decoder)?,
            count: decoder.u32()?,
            eof: decoder.bool()?,
            data: decoder.opaque(u32::MAX as usize)?,
        })
    }
}

/// Result of READ; a failure carries the file's attributes.
pub type ReadResult<'a> = Result<ReadOk<'a>, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::Read, ReadArgs => ReadResult<'reply>);
