//! WRITE (RFC 1813 section 3.3.7).

use super::{Failed, FileHandle, Procedure, WccData};
use crate::XdrError;
use crate::rpc::call::remote_call;
use crate::xdr::{Decode, Decoder, Encode, Encoder, Opaque, wire_enum, wire_struct};

/// Bytes of the verifier that tells clients of lost unstable data (NFS3_WRITEVERFSIZE).
pub const WRITE_VERIFIER_LENGTH: usize = 8;

wire_enum! {
    /// How durable a write must be, or has become, when it is answered.
    pub enum StableHow {
        /// Maybe in memory only; COMMIT makes it durable.
        Unstable = 0 => "unstable",
        /// Data durable, and the metadata needed to find it.
        DataSync = 1 => "data_sync",
        /// Data and metadata durable.
        FileSync = 2 => "file_sync",
    }
}

/// Arguments of WRITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteArgs<'a> {
    /// The file.
    pub file: FileHandle,
    /// Where the first byte goes.
    pub offset: u64,
    /// Bytes to write; RFC 1813 wants it to be the data's length, the decoder does not ask.
    pub count: u32,
    /// How durable the write must be.
    pub stable: StableHow,
    /// The data, and where it stands in the record.
    pub data: Opaque<'a>,
}

impl Encode for WriteArgs<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        self.file.encode(encoder);
        encoder.u64(self.offset);
        encoder.u32(self.count);
        self.stable.encode(encoder);
        self.data.encode(encoder);
    }
}

impl<'a> Decode<'a> for WriteArgs<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            file: FileHandle::decode(decoder)?,
            offset: decoder.u64()?,
            count: decoder.u32()?,
            stable: StableHow::decode(decoder)?,
            data: decoder.opaque(u32::MAX as usize)?,
        })
    }
}

wire_struct! {
    /// What WRITE yields.
    #[derive(Debug, Clone, Copy)]
    pub struct WriteOk {
        /// The file before and after.
        pub wcc: WccData,
        /// Bytes written.
        pub count: u32,
        /// How durable they are.
        pub committed: StableHow,
        /// Changes when unstable data was lost.
        pub verifier: [u8; WRITE_VERIFIER_LENGTH],
    }
}

/// Result of WRITE; a failure carries the file before and after.
pub type WriteResult = Result<WriteOk, Failed<WccData>>;

remote_call!(Nfs, Procedure::Write, WriteArgs<'_> => WriteResult);
