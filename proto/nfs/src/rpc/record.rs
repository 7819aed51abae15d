//! Record marking (RFC 5531 section 11): how a byte stream is cut into RPC messages.
//!
//! A record is one or more fragments; each is a four-byte marker (top bit: last fragment; the rest: its
//! length) and that many bytes. [`RecordParser`] is the state machine alone: it never sees a body's bytes
//! and owns no buffer. It tells its caller what the stream must bring next and is told what came, so that
//! the caller may read a body straight into the record's own buffer. A marker is judged when its fourth
//! byte arrives: a record over the limit is refused before anybody takes memory for it.
//!
//! Invariant: `record_length`, the bytes of all fragments whose markers were accepted, is at most
//! `limits.record_length_max`; at most `limits.fragments_max` markers were accepted for one record.

use crate::XdrError;

/// Bytes of a fragment's marker.
pub const MARKER_LENGTH: usize = 4;

const LAST_FRAGMENT: u32 = 1 << 31;

/// The marker of a record of `length` bytes sent as one fragment.
///
/// # Errors
///
/// [`XdrError::RecordTooLarge`] when it is 2 GiB or more, which a marker cannot say.
pub const fn record_marker(length: usize) -> Result<[u8; MARKER_LENGTH], XdrError> {
    let limit = (LAST_FRAGMENT - 1) as usize;
    if length > limit {
        return Err(XdrError::RecordTooLarge {
            claimed: length,
            limit,
        });
    }
    Ok((LAST_FRAGMENT | length as u32).to_be_bytes())
}

/// How large a record may be, and in how many pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLimits {
    /// Most bytes of a record, markers not counted.
    pub record_length_max: usize,
    /// Most fragments of a record.
    pub fragments_max: usize,
}

impl Default for RecordLimits {
    /// A 1 MiB WRITE and 64 KiB for everything around it, in up to 64 pieces.
    fn default() -> Self {
        Self {
            record_length_max: (1 << 20) + (64 << 10),
            fragments_max: 64,
        }
    }
}

/// What the stream must bring next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// This many bytes (1 to 4) until the next marker is complete.
    Marker(usize),
    /// This many bytes (at least 1) until the current fragment is complete.
    Body(usize),
    /// Nothing: the record is complete and has this many bytes.
    Complete(usize),
}

#[derive(Debug, Clone, Copy)]
enum State {
    Marker {
        bytes: [u8; MARKER_LENGTH],
        filled: usize,
    },
    Body {
        missing: usize,
        last: bool,
    },
    Complete,
}

const START: State = State::Marker {
    bytes: [0; MARKER_LENGTH],
    filled: 0,
};

/// Cuts a byte stream into records.
#[derive(Debug)]
pub struct RecordParser {
    limits: RecordLimits,
    state: State,
    record_length: usize,
    fragments: usize,
}

impl RecordParser {
    /// Starts between two records.
    pub const fn new(limits: RecordLimits) -> Self {
        Self {
            limits,
            state: START,
            record_length: 0,
            fragments: 0,
        }
    }

    /// What the stream must bring next.
    pub const fn want(&self) -> Want {
        match self.state {
            State::Marker { filled, .. } => Want::Marker(MARKER_LENGTH - filled),
            State::Body { missing, .. } => Want::Body(missing),
            State::Complete => Want::Complete(self.record_length),
        }
    }

    /// True when nothing of a next record has come yet.
    pub const fn is_between_records(&self) -> bool {
        matches!(self.state, State::Marker { filled: 0, .. }) && self.fragments == 0
    }

    /// Bytes of the record that its accepted markers announce: the room to have for it so far.
    pub const fn record_length(&self) -> usize {
        self.record_length
    }

    /// True when nothing can be added to [`record_length`](Self::record_length) any more.
    pub const fn is_in_last_fragment(&self) -> bool {
        matches!(self.state, State::Body { last: true, .. } | State::Complete)
    }

    /// Takes marker bytes from the front of `input` and says how many; 0 when none is wanted.
    ///
    /// # Errors
    ///
    /// [`XdrError::RecordTooLarge`], [`XdrError::TooManyFragments`]: the stream cannot be followed any
    /// further and must be closed.
    pub fn accept_marker(&mut self, input: &[u8]) -> Result<usize, XdrError> {
        let State::Marker {
            mut bytes,
            mut filled,
        } = self.state
        else {
            return Ok(0);
        };
        let taken = input.len().min(MARKER_LENGTH - filled);
        bytes[filled..filled + taken].copy_from_slice(&input[..taken]);
        filled += taken;
        self.state = if filled < MARKER_LENGTH {
            State::Marker { bytes, filled }
        } else {
            self.judge(u32::from_be_bytes(bytes))?
        };
        Ok(taken)
    }

    /// Notes that `count` bytes of the fragment came; more than were wanted count as those wanted.
    pub fn accept_body(&mut self, count: usize) {
        if let State::Body { missing, last } = self.state {
            self.state = Self::after_body(missing.saturating_sub(count), last);
        }
    }

    /// Goes on to the next record, once this one is complete.
    pub fn start_next(&mut self) {
        if matches!(self.state, State::Complete) {
            *self = Self::new(self.limits);
        }
    }

    fn judge(&mut self, marker: u32) -> Result<State, XdrError> {
        let length = (marker & !LAST_FRAGMENT) as usize;
        let claimed = self.record_length.saturating_add(length);
        if claimed > self.limits.record_length_max {
            return Err(XdrError::RecordTooLarge {
                claimed,
                limit: self.limits.record_length_max,
            });
        }
        if self.fragments == self.limits.fragments_max {
            return Err(XdrError::TooManyFragments {
                limit: self.limits.fragments_max,
            });
        }
        self.fragments += 1;
        self.record_length = claimed;
        Ok(Self::after_body(length, marker & LAST_FRAGMENT != 0))
    }

    const fn after_body(missing: usize, last: bool) -> State {
        match (missing, last) {
            (0, true) => State::Complete,
            (0, false) => START,
            (missing, last) => State::Body { missing, last },
        }
    }
}

/// A [`RecordParser`] with a buffer: for clients and tests, who need not save copies.
///
/// The buffer grows with the bytes that come, not with the bytes that are announced.
#[derive(Debug)]
pub struct RecordAssembler {
    parser: RecordParser,
    record: Vec<u8>,
}

impl RecordAssembler {
    /// Starts between two records.
    pub const fn new(limits: RecordLimits) -> Self {
        Self {
            parser: RecordParser::new(limits),
            record: Vec::new(),
        }
    }

    /// Takes bytes from the front of `input`, moving it on, until a record is complete or `input` is
    /// empty.
    ///
    /// # Errors
    ///
    /// As [`RecordParser::accept_marker`].
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, XdrError> {
        loop {
            match self.parser.want() {
                Want::Complete(_) => {
                    self.parser.start_next();
                    return Ok(Some(std::mem::take(&mut self.record)));
                }
                _ if input.is_empty() => return Ok(None),
                Want::Marker(_) => {
                    let taken = self.parser.accept_marker(input)?;
                    *input = &input[taken..];
                }
                Want::Body(missing) => {
                    let (body, rest) = input.split_at(missing.min(input.len()));
                    self.record.extend_from_slice(body);
                    self.parser.accept_body(body.len());
                    *input = rest;
                }
            }
        }
    }
}
