//! Bulk data on its way between a socket and a disk: shared, never copied.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

/// A run of bytes in shared pieces. Cloning and slicing share; only [`Payload::to_contiguous`]
/// may copy.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    segments: SmallVec<[Bytes; 2]>,
    length: usize,
}

impl Payload {
    /// No bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The pieces in order; none is empty.
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The pieces in order, given away.
    pub fn into_segments(self) -> SmallVec<[Bytes; 2]> {
        self.segments
    }

    /// Adds a piece at the end.
    pub fn push(&mut self, segment: Bytes) {
        if !segment.is_empty() {
            self.length += segment.len();
            self.segments.push(segment);
        }
    }

    /// Adds all of `other` at the end.
    pub fn append(&mut self, other: Self) {
        self.length += other.length;
        self.segments.extend(other.segments);
    }

    /// Adds `length` zero bytes at the end.
    pub fn push_zeros(&mut self, mut length: usize) {
        const ZEROS: &[u8] = &[0; 64 * 1024];
        while length > 0 {
            let take = length.min(ZEROS.len());
            self.push(Bytes::from_static(&ZEROS[..take]));
            length -= take;
        }
    }

    /// `length` bytes from `start`, sharing the pieces; clipped to what is there.
    #[must_use]
    pub fn slice(&self, start: usize, length: usize) -> Self {
        let mut slice = Self::new();
        let (mut skip, mut left) = (start, length);
        for segment in &self.segments {
            if left == 0 {
                break;
            }
            if skip >= segment.len() {
                skip -= segment.len();
                continue;
            }
            let take = left.min(segment.len() - skip);
            slice.push(segment.slice(skip..skip + take));
            left -= take;
            skip = 0;
        }
        slice
    }

    /// Drops what lies beyond `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        if length < self.length {
            *self = self.slice(0, length);
        }
    }

    /// One piece with all the bytes: shared if there is one already, else copied.
    pub fn to_contiguous(&self) -> Bytes {
        match self.segments.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            many => {
                let mut whole = BytesMut::with_capacity(self.length);
                for segment in many {
                    whole.extend_from_slice(segment);
                }
                whole.freeze()
            }
        }
    }

    /// Copies the bytes into `target`.
    ///
    /// # Panics
    /// If `target` is not exactly as long as the payload: a bug of the caller.
    pub fn copy_to(&self, target: &mut [u8]) {
        assert_eq!(
            target.len(),
            self.length,
            "payload and target differ in length"
        );
        let mut at = 0;
        for segment in &self.segments {
            target[at..at + segment.len()].copy_from_slice(segment);
            at += segment.len();
        }
    }
}

impl From<Bytes> for Payload {
    fn from(segment: Bytes) -> Self {
        let mut payload = Self::new();
        payload.push(segment);
        payload
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        let left = self.segments.iter().flat_map(|segment| segment.iter());
        let right = other.segments.iter().flat_map(|segment| segment.iter());
        self.length == other.length && left.eq(right)
    }
}

impl Eq for Payload {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Payload {
        let mut payload = Payload::from(b"hello ".to_vec());
        payload.push(Bytes::from_static(b"wide "));
        payload.push(Bytes::from_static(b"world"));
        payload
    }

    #[test]
    fn slices_across_pieces() {
        let payload = sample();
        for start in 0..=payload.len() + 1 {
            for length in 0..=payload.len() + 1 {
                let whole = payload.to_contiguous();
                let from = start.min(whole.len());
                let to = (start + length).min(whole.len());
                assert_eq!(
                    payload.slice(start, length).to_contiguous(),
                    whole.slice(from..to.max(from))
                );
            }
        }
    }

    #[test]
    fn zeros_and_equality_do_not_depend_on_pieces() {
        let mut payload = sample();
        payload.push_zeros(100_000);
        let flat = Payload::from(payload.to_contiguous());
        assert_eq!(flat, payload);
        payload.truncate(16);
        assert_eq!(payload.to_contiguous(), &b"hello wide world"[..]);
    }
}
