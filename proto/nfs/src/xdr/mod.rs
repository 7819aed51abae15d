//! XDR (RFC 4506): big-endian, everything in multiples of four bytes.
//!
//! [`Decoder`] walks over a borrowed record, [`Encoder`] appends to a growing buffer. A message
//! implements [`Encode`] and [`Decode`]; the macros of this module write both for plain structures
//! (fields in order) and enumerations.
//!
//! What is taken strictly: lengths, enumeration values, booleans (0 or 1), bytes left over, missing
//! padding. What is not: the value of padding bytes, which receivers ignore in practice.

mod bytes;
mod decoder;
mod encoder;
mod list;
mod macros;
mod primitives;
#[cfg(test)]
mod tests;

pub use bytes::{BoundedBytes, Opaque, U32Array};
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use list::{EncodedList, List, ListIter};
pub(crate) use macros::{wire_enum, wire_struct};

use crate::XdrError;

/// A value that can be put on the wire.
pub trait Encode {
    /// Appends the value to `encoder`.
    fn encode(&self, encoder: &mut Encoder);

    /// The value alone, in a buffer of its own.
    fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        self.encode(&mut encoder);
        encoder.into_bytes()
    }
}

/// A value that can be read from the wire; what is long in it borrows from the record.
pub trait Decode<'a>: Sized {
    /// Reads the value at the decoder's position and moves past it.
    ///
    /// # Errors
    ///
    /// [`XdrError`] when the bytes are not such a value; the decoder's position is then unspecified.
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError>;

    /// Reads the value from `bytes`, which must hold nothing else.
    ///
    /// # Errors
    ///
    /// [`XdrError`] when the bytes are not such a value or go on after it.
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, XdrError> {
        let mut decoder = Decoder::new(bytes);
        let value = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(value)
    }
}

/// Zero bytes that follow `length` bytes of opaque data: 0 to 3.
pub const fn padding_length(length: usize) -> usize {
    length.wrapping_neg() & 3
}

/// The padding that follows `length` bytes of opaque data.
pub const fn padding(length: usize) -> &'static [u8] {
    match padding_length(length) {
        0 => &[],
        1 => &[0],
        2 => &[0, 0],
        _ => &[0, 0, 0],
    }
}
