//! Keys and ranges of keys.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use smallvec::SmallVec;

/// A key: bytes, compared as such. Up to 24 bytes need no allocation; no key of the metadata service is longer.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(SmallVec<[u8; 24]>);

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    /// With `bytes` appended.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The least key greater than this one.
    #[must_use]
    pub fn successor(self) -> Self {
        self.with(&[0])
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// Keys from `start` (included) to `end` (excluded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key of the range.
    pub start: Key,
    /// The first key after the range.
    pub end: Key,
}

impl KeyRange {
    /// A range.
    pub fn new(start: Key, end: Key) -> Self {
        Self { start, end }
    }

    /// All keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        let kept = prefix.iter().rposition(|&byte| byte != 0xff);
        let mut end = Key::new(kept.map_or(&[], |last| &prefix[..=last]));
        if let Some(last) = end.0.last_mut() {
            *last += 1;
        }
        debug_assert!(kept.is_some(), "a prefix of 0xff bytes has no end");
        Self::new(Key::new(prefix), end)
    }

    /// Whether there can be no key in it.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

impl RangeBounds<Key> for KeyRange {
    fn start_bound(&self) -> Bound<&Key> {
        Bound::Included(&self.start)
    }

    fn end_bound(&self) -> Bound<&Key> {
        Bound::Excluded(&self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_exactly_its_keys() {
        let range = KeyRange::prefix(b"a\xff");
        for inside in [&b"a\xff"[..], b"a\xff\0", b"a\xff\xff\xff"] {
            assert!(range.contains(&Key::new(inside)), "{inside:?}");
        }
        for outside in [&b"a"[..], b"a\xfe\xff", b"b"] {
            assert!(!range.contains(&Key::new(outside)), "{outside:?}");
        }
    }

    #[test]
    fn nothing_lies_between_a_key_and_its_successor() {
        let key = Key::new(b"k");
        assert!(key < key.clone().successor());
        assert!(key.successor() < Key::new(b"k\0\0"));
    }
}
