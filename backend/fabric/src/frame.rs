//! The one home of the frame format: what precedes every message on a data plane socket.
//!
//! A frame is this header, then the message (a protobuf header), then the payload as it is. All numbers
//! are little-endian:
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | magic `SLUF` |
//! | 4 | version of the format: 1 |
//! | 5 | kind: 1 request, 2 reply |
//! | 6..8 | zero |
//! | 8..16 | request id: the asker's number for the request, unique on the connection, repeated in the reply |
//! | 16..20 | length of the message in bytes |
//! | 20..24 | length of the payload in bytes |
//! | 24..28 | request: how many milliseconds the asker will wait; reply: zero |
//! | 28..32 | crc32c of the message |
//! | 32..36 | zero; kept for a checksum of the payload |
//! | 36..40 | crc32c of bytes 0..36 |
//!
//! The header's own checksum comes last and is checked first, so that no length is believed before it is
//! known to be what was sent. A version is raised when the meaning of any byte changes; peers of different
//! versions refuse each other.

use std::time::Duration;

use thiserror::Error;

/// Length of a frame's header, in bytes.
pub const FRAME_HEADER_BYTES: usize = 40;

const MAGIC: [u8; 4] = *b"SLUF";
const VERSION: u8 = 1;
const CHECKSUM_AT: usize = 36;

// The checksum is the last field.
const _: () = assert!(CHECKSUM_AT + size_of::<u32>() == FRAME_HEADER_BYTES);

/// The asker's number for a request, unique on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// Wraps a raw number.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The raw number.
    pub const fn raw(self) -> u64 {
        self.0
    }
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A request.
    Request,
    /// A reply.
    Reply,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame carries.
    pub kind: FrameKind,
    /// Which request it is or answers.
    pub request: RequestId,
    /// Length of the message.
    pub message_bytes: u32,
    /// Length of the payload.
    pub payload_bytes: u32,
    /// How long the asker will wait, in milliseconds.
    pub deadline_ms: u32,
    /// Checksum of the message.
    pub message_crc32c: u32,
}

/// The longest parts that are accepted, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Of a message.
    pub message_bytes_max: u32,
    /// Of a payload.
    pub payload_bytes_max: u32,
}

/// What is wrong with a frame.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not a frame at all.
    #[error("expected the magic {MAGIC:02x?}, got {found:02x?}")]
    Magic {
        /// What came.
        found: [u8; 4],
    },
    /// A frame of another version.
    #[error("expected version {VERSION}, got {found}")]
    Version {
        /// What came.
        found: u8,
    },
    /// The header was damaged on the way.
    #[error("expected header checksum {expected:#010x}, got {found:#010x}")]
    Checksum {
        /// What the bytes add up to.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// Neither request nor reply, or not the one that may come on this side.
    #[error("unexpected kind of frame {found}")]
    Kind {
        /// What came.
        found: u8,
    },
    /// Bytes that must be zero are not.
    #[error("reserved bytes are not zero")]
    Reserved,
    /// A part is longer than is accepted.
    #[error("a {part} of {bytes} bytes is over the limit of {limit_bytes}")]
    TooLong {
        /// Which part.
        part: &'static str,
        /// How long it claims to be.
        bytes: u32,
        /// The limit.
        limit_bytes: u32,
    },
    /// The message was damaged on the way.
    #[error("expected message checksum {expected:#010x}, got {found:#010x}")]
    MessageChecksum {
        /// What the header says.
        expected: u32,
        /// What the bytes add up to.
        found: u32,
    },
}

impl FrameKind {
    const fn raw(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Reply => 2,
        }
    }
}

impl FrameHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[5] = self.kind.raw();
        bytes[8..16].copy_from_slice(&self.request.raw().to_le_bytes());
        bytes[16..20].copy_from_slice(&self.message_bytes.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.deadline_ms.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.message_crc32c.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header in `bytes`, if it is a frame of kind `expected` within `limits`.
    ///
    /// # Errors
    /// A [`FrameError`] for anything else; the connection is of no use after it.
    pub fn decode(
        bytes: &[u8; FRAME_HEADER_BYTES],
        expected: FrameKind,
        limits: FrameLimits,
    ) -> Result<Self, FrameError> {
        check_envelope(bytes)?;
        if bytes[5] != expected.raw() {
            return Err(FrameError::Kind { found: bytes[5] });
        }
        if bytes[6..8] != [0; 2] || bytes[32..36] != [0; 4] {
            return Err(FrameError::Reserved);
        }
        let header = Self {
            kind: expected,
            request: RequestId::new(u64::from_le_bytes(field(bytes, 8))),
            message_bytes: u32::from_le_bytes(field(bytes, 16)),
            payload_bytes: u32::from_le_bytes(field(bytes, 20)),
            deadline_ms: u32::from_le_bytes(field(bytes, 24)),
            message_crc32c: u32::from_le_bytes(field(bytes, 28)),
        };
        within("message", header.message_bytes, limits.message_bytes_max)?;
        within("payload", header.payload_bytes, limits.payload_bytes_max)?;
        Ok(header)
    }

    /// Whether `message` is the one that was sent with this header.
    ///
    /// # Errors
    /// [`FrameError::MessageChecksum`] if it is not.
    pub fn check_message(&self, message: &[u8]) -> Result<(), FrameError> {
        let (expected, found) = (self.message_crc32c, crc32c::crc32c(message));
        if expected == found {
            Ok(())
        } else {
            Err(FrameError::MessageChecksum { expected, found })
        }
    }

    /// How long the asker will wait.
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(u64::from(self.deadline_ms))
    }
}

fn check_envelope(bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<(), FrameError> {
    let magic: [u8; 4] = field(bytes, 0);
    if magic != MAGIC {
        return Err(FrameError::Magic { found: magic });
    }
    if bytes[4] != VERSION {
        return Err(FrameError::Version { found: bytes[4] });
    }
    let expected = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
    let found = u32::from_le_bytes(field(bytes, CHECKSUM_AT));
    if expected != found {
        return Err(FrameError::Checksum { expected, found });
    }
    Ok(())
}

fn within(part: &'static str, bytes: u32, limit_bytes: u32) -> Result<(), FrameError> {
    if bytes > limit_bytes {
        return Err(FrameError::TooLong {
            part,
            bytes,
            limit_bytes,
        });
    }
    Ok(())
}

fn field<const N: usize>(bytes: &[u8; FRAME_HEADER_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: FrameLimits = FrameLimits {
        message_bytes_max: 100,
        payload_bytes_max: 1 << 20,
    };

    fn sample() -> FrameHeader {
        FrameHeader {
            kind: FrameKind::Request,
            request: RequestId::new(0x0102_0304_0506_0708),
            message_bytes: 9,
            payload_bytes: 1 << 20,
            deadline_ms: 30_000,
            message_crc32c: crc32c::crc32c(b"a message"),
        }
    }

    /// `bytes` with byte `at` changed and the checksum made good again.
    fn forged(at: usize, value: u8) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = sample().encode();
        bytes[at] = value;
        let checksum = crc32c::crc32c(&bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn refusal(bytes: &[u8; FRAME_HEADER_BYTES]) -> FrameError {
        FrameHeader::decode(bytes, FrameKind::Request, LIMITS).unwrap_err()
    }

    #[test]
    fn the_bytes_stay_the_same() {
        let hex: String = sample()
            .encode()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(hex, GOLDEN);
    }

    const GOLDEN: &str = "534c5546010100000807060504030201090000000000100030750000fcbb925a\
        00000000c94dc390";

    #[test]
    fn headers_survive_the_way() {
        let decoded = FrameHeader::decode(&sample().encode(), FrameKind::Request, LIMITS);
        assert_eq!(decoded, Ok(sample()));
        assert_eq!(sample().check_message(b"a message"), Ok(()));
        assert!(sample().check_message(b"a massage").is_err());
        assert_eq!(sample().deadline(), Duration::from_secs(30));
    }

    #[test]
    fn each_damaged_bit_is_seen() {
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut bytes = sample().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let decoded = FrameHeader::decode(&bytes, FrameKind::Request, LIMITS);
            assert!(decoded.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn each_refusal_says_why() {
        assert!(matches!(
            refusal(&forged(0, b'X')),
            FrameError::Magic { .. }
        ));
        assert_eq!(refusal(&forged(4, 2)), FrameError::Version { found: 2 });
        assert_eq!(refusal(&forged(5, 2)), FrameError::Kind { found: 2 });
        assert_eq!(refusal(&forged(6, 1)), FrameError::Reserved);
        assert_eq!(refusal(&forged(33, 1)), FrameError::Reserved);
        let long = FrameError::TooLong {
            part: "message",
            bytes: 101,
            limit_bytes: 100,
        };
        assert_eq!(refusal(&forged(16, 101)), long);
        let long = refusal(&forged(23, 0xff));
        assert!(matches!(
            long,
            FrameError::TooLong {
                part: "payload",
                ..
            }
        ));
    }
}
