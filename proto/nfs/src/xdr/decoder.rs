//! Reads XDR values from a borrowed record.
//!
//! Invariant: `position <= record.len()`. Every read goes through [`Decoder::take`], which compares
//! with what is left before it slices; nothing here allocates.

use super::{Opaque, padding_length};
use crate::XdrError;

/// A cursor over a record.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    record: &'a [u8],
    position: usize,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte of `record`.
    pub const fn new(record: &'a [u8]) -> Self {
        Self {
            record,
            position: 0,
        }
    }

    /// Bytes read so far: the index in the record of the next one.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.record.len() - self.position
    }

    /// The record's bytes from `start` to the current position.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.record[start..self.position]
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// [`XdrError::TrailingBytes`] when the record goes on.
    pub const fn finish(&self) -> Result<(), XdrError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(XdrError::TrailingBytes { count }),
        }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`] when the record has fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], XdrError> {
        let remaining = self.remaining();
        if count > remaining {
            return Err(XdrError::Truncated {
                position: self.position,
                needed: count,
                remaining,
            });
        }
        let bytes = &self.record[self.position..self.position + count];
        self.position += count;
        Ok(bytes)
    }

    /// `N` bytes without a length in front: an opaque of fixed size, `N` a multiple of four.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`].
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], XdrError> {
        const { assert!(N.is_multiple_of(4), "XDR data comes in multiples of four") };
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    /// An unsigned integer.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`].
    pub fn u32(&mut self) -> Result<u32, XdrError> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// An unsigned hyper.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`].
    pub fn u64(&mut self) -> Result<u64, XdrError> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// A number that `parse` must know; `kind` names it in the error.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`], [`XdrError::InvalidValue`].
    pub fn enumeration<T>(
        &mut self,
        kind: &'static str,
        parse: impl FnOnce(u32) -> Option<T>,
    ) -> Result<T, XdrError> {
        let position = self.position;
        let value = self.u32()?;
        parse(value).ok_or(XdrError::InvalidValue {
            position,
            kind,
            value,
        })
    }

    /// A boolean: 0 or 1.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`], [`XdrError::InvalidValue`].
    pub fn bool(&mut self) -> Result<bool, XdrError> {
        self.enumeration("boolean", |value| match value {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }

    /// A length or a count, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`], [`XdrError::TooLong`].
    pub fn length(&mut self, limit: usize) -> Result<usize, XdrError> {
        let position = self.position;
        let length = self.u32()? as usize;
        if length > limit {
            return Err(XdrError::TooLong {
                position,
                length,
                limit,
            });
        }
        Ok(length)
    }

    /// Opaque data of variable length, at most `limit` bytes, and its padding.
    ///
    /// # Errors
    ///
    /// [`XdrError::Truncated`] (also when only padding is missing), [`XdrError::TooLong`].
    pub fn opaque(&mut self, limit: usize) -> Result<Opaque<'a>, XdrError> {
        let length = self.length(limit)?;
        let position = self.position;
        let bytes = self.take(length)?;
        self.take(padding_length(length))?;
        Ok(Opaque::at(bytes, position))
    }
}
