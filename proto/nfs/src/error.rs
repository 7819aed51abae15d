//! The one error of this crate: what was wrong with the bytes.

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XdrError {
    /// The record ends inside a value.
    #[error("{needed} bytes needed at position {position}, {remaining} left")]
    Truncated {
        /// Where in the record the value starts.
        position: usize,
        /// Bytes that the value takes.
        needed: usize,
        /// Bytes that the record still has.
        remaining: usize,
    },
    /// A length from the wire is over the protocol's limit.
    #[error("length {length} at position {position} is over the limit of {limit}")]
    TooLong {
        /// Where in the record the length stands.
        position: usize,
        /// The length that was claimed.
        length: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A number that the enumeration or the union does not have.
    #[error("{value} at position {position} is no {kind}")]
    InvalidValue {
        /// Where in the record the number stands.
        position: usize,
        /// What it should have been.
        kind: &'static str,
        /// The number that came.
        value: u32,
    },
    /// Bytes were left after the message's end.
    #[error("{count} bytes left over after the message")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A record's fragments claim more bytes than a record may have.
    #[error("a record of {claimed} bytes or more is over the limit of {limit}")]
    RecordTooLarge {
        /// Bytes claimed so far, the refused fragment included.
        claimed: usize,
        /// The most a record may have.
        limit: usize,
    },
    /// A record comes in more pieces than allowed.
    #[error("a record in more than {limit} fragments")]
    TooManyFragments {
        /// The most a record may have.
        limit: usize,
    },
}
