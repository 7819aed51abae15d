//! [`Encode`] and [`Decode`] for numbers, booleans, optional values and `nfsserve`'s structures of
//! fixed size. The latter are encoded by `nfsserve` and decoded here, where booleans and enumerations are
//! taken strictly and errors say where they are.

use nfsserve::nfs::{fattr3, ftype3, nfsstat3, nfstime3, specdata3, wcc_attr};

use super::{Decode, Decoder, Encode, Encoder};
use crate::XdrError;

impl Encode for u32 {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(*self);
    }
}

impl<'a> Decode<'a> for u32 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.u32()
    }
}

impl Encode for i32 {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.raw(&self.to_be_bytes());
    }
}

impl<'a> Decode<'a> for i32 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.fixed().map(Self::from_be_bytes)
    }
}

impl Encode for u64 {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.u64(*self);
    }
}

impl<'a> Decode<'a> for u64 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.u64()
    }
}

impl Encode for bool {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.bool(*self);
    }
}

impl<'a> Decode<'a> for bool {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.bool()
    }
}

impl Encode for () {
    fn encode(&self, _encoder: &mut Encoder) {}
}

impl<'a> Decode<'a> for () {
    fn decode(_decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(())
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.raw(self);
    }
}

impl<'a, const N: usize> Decode<'a> for [u8; N] {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.fixed()
    }
}

/// A union over a boolean: the value follows, or nothing does.
impl<T: Encode> Encode for Option<T> {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.bool(self.is_some());
        if let Some(value) = self {
            value.encode(encoder);
        }
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        if decoder.bool()? {
            T::decode(decoder).map(Some)
        } else {
            Ok(None)
        }
    }
}

macro_rules! encoded_by_nfsserve {
    ($($kind:ty),*) => {$(
        impl Encode for $kind {
            fn encode(&self, encoder: &mut Encoder) {
                encoder.nfsserve(self);
            }
        }
    )*};
}

encoded_by_nfsserve!(fattr3, ftype3, nfsstat3, nfstime3, specdata3, wcc_attr);

impl<'a> Decode<'a> for ftype3 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.enumeration("ftype3", |value| {
            Some(match value {
                1 => Self::NF3REG,
                2 => Self::NF3DIR,
                3 => Self::NF3BLK,
                4 => Self::NF3CHR,
                5 => Self::NF3LNK,
                6 => Self::NF3SOCK,
                7 => Self::NF3FIFO,
                _ => return None,
            })
        })
    }
}

impl<'a> Decode<'a> for nfsstat3 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.enumeration("nfsstat3", crate::nfs3::status_from_number)
    }
}

impl<'a> Decode<'a> for nfstime3 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            seconds: decoder.u32()?,
            nseconds: decoder.u32()?,
        })
    }
}

impl<'a> Decode<'a> for specdata3 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            specdata1: decoder.u32()?,
            specdata2: decoder.u32()?,
        })
    }
}

impl<'a> Decode<'a> for wcc_attr {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            size: decoder.u64()?,
            mtime: nfstime3::decode(decoder)?,
            ctime: nfstime3::decode(decoder)?,
        })
    }
}

impl<'a> Decode<'a> for fattr3 {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            ftype: ftype3::decode(decoder)?,
            mode: decoder.u32()?,
            nlink: decoder.u32()?,
            uid: decoder.u32()?,
            gid: decoder.u32()?,
            size: decoder.u64()?,
            used: decoder.u64()?,
            rdev: specdata3::decode(decoder)?,
            fsid: decoder.u64()?,
            fileid: decoder.u64()?,
            atime: nfstime3::decode(decoder)?,
            mtime: nfstime3::decode(decoder)?,
            ctime: nfstime3::decode(decoder)?,
        })
    }
}
