//! Writing and reading the fields of a record.

use bytes::Bytes;
use sluice_types::{ChunkSize, Layout, ReplicaCount, StripeWidth, Timestamp};

use crate::error::MetaError;

/// Collects a record's fields.
#[derive(Debug)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// A record of that version, with room for `bytes` of fields.
    pub(super) fn new(version: u8, bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes + 1);
        buffer.push(version);
        Self(buffer)
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u128(&mut self, value: u128) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }

    /// A length of up to 2^16 - 1, then the bytes.
    pub(super) fn text(&mut self, value: &str) {
        self.blob(value.as_bytes());
    }

    /// A length of up to 2^16 - 1, then the bytes.
    pub(super) fn blob(&mut self, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.u16(length);
        self.bytes(&value[..usize::from(length)]);
    }

    pub(super) fn timestamp(&mut self, value: Timestamp) {
        self.u64(value.seconds().cast_unsigned());
        self.u32(value.nanoseconds());
    }

    pub(super) fn layout(&mut self, layout: &Layout) {
        self.u32(layout.chunk_size.bytes());
        self.u32(layout.stripe_width.groups());
        self.u32(layout.replicas.copies());
        self.u32(layout.placement_seed);
    }

    pub(super) fn finish(self) -> Bytes {
        Bytes::from(self.0)
    }
}

/// Takes a record's fields out again.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    record: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a record, whose version must be `version`.
    pub(super) fn new(
        record: &'static str,
        version: u8,
        bytes: &'a [u8],
    ) -> Result<Self, MetaError> {
        let mut reader = Self {
            record,
            rest: bytes,
        };
        let found = reader.u8()?;
        if found == version {
            Ok(reader)
        } else {
            Err(reader.damaged("a known version", format!("version {found}")))
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, MetaError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, MetaError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, MetaError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, MetaError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn u128(&mut self) -> Result<u128, MetaError> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], MetaError> {
        match self.rest.split_first_chunk() {
            Some((array, rest)) => {
                self.rest = rest;
                Ok(*array)
            }
            None => Err(self.damaged("more bytes", format!("{} left of {N}", self.rest.len()))),
        }
    }

    pub(super) fn blob(&mut self) -> Result<&'a [u8], MetaError> {
        let length = usize::from(self.u16()?);
        let Some((blob, rest)) = self.rest.split_at_checked(length) else {
            return Err(self.damaged("more bytes", format!("{} of {length}", self.rest.len())));
        };
        self.rest = rest;
        Ok(blob)
    }

    pub(super) fn text(&mut self) -> Result<String, MetaError> {
        let text = std::str::from_utf8(self.blob()?);
        text.map(str::to_owned)
            .map_err(|error| self.damaged("UTF-8", error.to_string()))
    }

    pub(super) fn timestamp(&mut self) -> Result<Timestamp, MetaError> {
        let seconds = self.u64()?.cast_signed();
        Ok(Timestamp::new(seconds, self.u32()?))
    }

    pub(super) fn layout(&mut self) -> Result<Layout, MetaError> {
        let (chunk, width, replicas, placement_seed) =
            (self.u32()?, self.u32()?, self.u32()?, self.u32()?);
        let parts = (
            ChunkSize::new(chunk),
            StripeWidth::new(width),
            ReplicaCount::new(replicas),
        );
        let (Ok(chunk_size), Ok(stripe_width), Ok(replicas)) = parts else {
            return Err(self.damaged("a layout", format!("{chunk}/{width}/{replicas}")));
        };
        Ok(Layout {
            chunk_size,
            stripe_width,
            replicas,
            placement_seed,
        })
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn end(self) -> Result<(), MetaError> {
        match self.rest.len() {
            0 => Ok(()),
            more => Err(self.damaged("its end", format!("{more} more bytes"))),
        }
    }

    pub(super) fn damaged(&self, expected: &'static str, found: String) -> MetaError {
        MetaError::Damaged {
            record: self.record,
            expected,
            found,
        }
    }
}

/// A record that is one number.
pub fn encode_number(number: u64) -> Bytes {
    let mut writer = Writer::new(1, 8);
    writer.u64(number);
    writer.finish()
}

/// Reads a record that is one number.
///
/// # Errors
/// [`MetaError::Damaged`].
pub fn decode_number(record: &'static str, bytes: &[u8]) -> Result<u64, MetaError> {
    let mut reader = Reader::new(record, 1, bytes)?;
    let number = reader.u64()?;
    reader.end()?;
    Ok(number)
}
