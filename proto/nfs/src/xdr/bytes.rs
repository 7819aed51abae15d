//! Byte strings and small arrays: borrowed or inline, never longer than their protocol allows.

use std::fmt;
use std::ops::{Deref, Range};

use super::{Decode, Decoder, Encode, Encoder};
use crate::XdrError;

/// Opaque data in a record: the bytes, and where they stand, so that the owner of a shared record buffer can
/// cut the same range out of it without a copy.
#[derive(Clone, Copy)]
pub struct Opaque<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Opaque<'a> {
    /// Data to be encoded; it stands in no record yet.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) const fn at(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// The data.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where the data stands in the record that it was decoded from.
    pub const fn range(&self) -> Range<usize> {
        self.position..self.position + self.bytes.len()
    }
}

/// The same data, wherever it stands.
impl PartialEq for Opaque<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Opaque<'_> {}

impl fmt::Debug for Opaque<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Opaque({} bytes)", self.bytes.len())
    }
}

impl Encode for Opaque<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.opaque(self.bytes);
    }
}

/// A name, path or other byte string of at most `LIMIT` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct BoundedBytes<'a, const LIMIT: usize>(&'a [u8]);

impl<'a, const LIMIT: usize> BoundedBytes<'a, LIMIT> {
    /// The most bytes that one may have.
    pub const LIMIT: usize = LIMIT;

    /// Takes `bytes` if they are few enough.
    ///
    /// # Errors
    ///
    /// [`XdrError::TooLong`] (at position 0) when they are more than `LIMIT`.
    pub const fn new(bytes: &'a [u8]) -> Result<Self, XdrError> {
        if bytes.len() > LIMIT {
            return Err(XdrError::TooLong {
                position: 0,
                length: bytes.len(),
                limit: LIMIT,
            });
        }
        Ok(Self(bytes))
    }

    /// The bytes, for as long as the record lives.
    pub const fn bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<const LIMIT: usize> Deref for BoundedBytes<'_, LIMIT> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl<const LIMIT: usize> fmt::Debug for BoundedBytes<'_, LIMIT> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.0.escape_ascii())
    }
}

impl<const LIMIT: usize> Encode for BoundedBytes<'_, LIMIT> {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.opaque(self.0);
    }
}

impl<'a, const LIMIT: usize> Decode<'a> for BoundedBytes<'a, LIMIT> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        decoder.opaque(LIMIT).map(|opaque| Self(opaque.bytes()))
    }
}

/// A counted array of at most `LIMIT` unsigned integers, held inline.
#[derive(Clone, Copy)]
pub struct U32Array<const LIMIT: usize> {
    count: usize,
    items: [u32; LIMIT],
}

impl<const LIMIT: usize> U32Array<LIMIT> {
    /// Takes `items` if they are few enough.
    ///
    /// # Errors
    ///
    /// [`XdrError::TooLong`] (at position 0) when they are more than `LIMIT`.
    pub fn new(items: &[u32]) -> Result<Self, XdrError> {
        let mut array = Self::default();
        let Some(room) = array.items.get_mut(..items.len()) else {
            return Err(XdrError::TooLong {
                position: 0,
                length: items.len(),
                limit: LIMIT,
            });
        };
        room.copy_from_slice(items);
        array.count = items.len();
        Ok(array)
    }
}

impl<const LIMIT: usize> Default for U32Array<LIMIT> {
    fn default() -> Self {
        Self {
            count: 0,
            items: [0; LIMIT],
        }
    }
}

impl<const LIMIT: usize> Deref for U32Array<LIMIT> {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.items[..self.count]
    }
}

impl<const LIMIT: usize> PartialEq for U32Array<LIMIT> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<const LIMIT: usize> Eq for U32Array<LIMIT> {}

impl<const LIMIT: usize> fmt::Debug for U32Array<LIMIT> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<const LIMIT: usize> Encode for U32Array<LIMIT> {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.length(self.count);
        for item in self.iter() {
            encoder.u32(*item);
        }
    }
}

impl<'a, const LIMIT: usize> Decode<'a> for U32Array<LIMIT> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        let count = decoder.length(LIMIT)?;
        let mut array = Self {
            count,
            items: [0; LIMIT],
        };
        for item in &mut array.items[..count] {
            *item = decoder.u32()?;
        }
        Ok(array)
    }
}
