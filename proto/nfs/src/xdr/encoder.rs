//! Appends XDR values to a buffer.

use super::padding;

/// A growing buffer of XDR values.
#[derive(Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
}

impl Encoder {
    /// An empty buffer.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    /// The bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True before the first value.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets everything after the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Writes `value` over the four bytes at `position`, which were written before.
    ///
    /// # Panics
    ///
    /// When fewer than four bytes stand there: a bug of the caller.
    pub fn overwrite_u32(&mut self, position: usize, value: u32) {
        self.bytes[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Bytes as they are: an opaque of fixed size, or what was encoded before.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// An unsigned integer.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    /// An unsigned hyper.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_be_bytes());
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.u32(u32::from(value));
    }

    /// A length or a count.
    ///
    /// # Panics
    ///
    /// When it is 4 GiB or more: no message of these protocols can be that long.
    pub fn length(&mut self, length: usize) {
        let length = u32::try_from(length).expect("XDR lengths are below 4 GiB");
        self.u32(length);
    }

    /// Opaque data of variable length, and its padding.
    pub fn opaque(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
        self.raw(padding(bytes.len()));
    }

    /// A value of `nfsserve`'s vocabulary, by its own encoder.
    pub fn nfsserve(&mut self, value: &impl nfsserve::xdr::XDR) {
        let written = value.serialize(&mut self.bytes);
        debug_assert!(written.is_ok(), "writing to memory cannot fail");
    }
}
