//! File handles on the wire: opaque, at most 64 bytes, held inline.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::XdrError;
use crate::xdr::{Decode, Decoder, Encode, Encoder};

/// Most bytes of a file handle (RFC 1813 section 2.4, NFS3_FHSIZE).
pub const HANDLE_LENGTH_MAX: usize = 64;

/// A file handle, not looked into.
#[derive(Clone, Copy)]
pub struct FileHandle {
    length: u8,
    bytes: [u8; HANDLE_LENGTH_MAX],
}

impl FileHandle {
    /// Takes `bytes` if they are few enough.
    ///
    /// # Errors
    ///
    /// [`XdrError::TooLong`] (at position 0) when they are more than 64.
    pub fn new(bytes: &[u8]) -> Result<Self, XdrError> {
        if bytes.len() > HANDLE_LENGTH_MAX {
            return Err(XdrError::TooLong {
                position: 0,
                length: bytes.len(),
                limit: HANDLE_LENGTH_MAX,
            });
        }
        let mut handle = Self {
            length: bytes.len() as u8,
            bytes: [0; HANDLE_LENGTH_MAX],
        };
        handle.bytes[..bytes.len()].copy_from_slice(bytes);
        Ok(handle)
    }

    /// The handle's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl<const N: usize> From<[u8; N]> for FileHandle {
    /// A handle of a length that the compiler knows to be short enough.
    fn from(bytes: [u8; N]) -> Self {
        const { assert!(N <= HANDLE_LENGTH_MAX, "too long for a handle") };
        let mut handle = Self {
            length: N as u8,
            bytes: [0; HANDLE_LENGTH_MAX],
        };
        handle.bytes[..N].copy_from_slice(&bytes);
        handle
    }
}

impl PartialEq for FileHandle {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for FileHandle {}

impl Hash for FileHandle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for FileHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FileHandle(")?;
        for byte in self.as_bytes() {
            write!(formatter, "{byte:02x}")?;
        }
        formatter.write_str(")")
    }
}

impl Encode for FileHandle {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.opaque(self.as_bytes());
    }
}

impl<'a> Decode<'a> for FileHandle {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Self::new(decoder.opaque(HANDLE_LENGTH_MAX)?.bytes())
    }
}
