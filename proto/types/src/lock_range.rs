//! The bytes that a lock covers.

use crate::FsError;

/// A range of bytes that can be locked: never empty, up to the last byte that a file can be addressed by
/// (2^64 - 1). One that reaches that byte is "to the end", however the file grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockRange {
    first: u64,
    last: u64,
}

impl LockRange {
    /// Everything.
    pub const WHOLE: Self = Self {
        first: 0,
        last: u64::MAX,
    };

    /// `length` bytes from `first` on; a length of 0 means to the end.
    ///
    /// # Errors
    /// [`FsError::FileTooLarge`] if it would end beyond byte 2^64 - 1.
    pub fn new(first: u64, length: u64) -> Result<Self, FsError> {
        if length == 0 {
            return Ok(Self {
                first,
                last: u64::MAX,
            });
        }
        let last = first.checked_add(length - 1);
        last.map(|last| Self { first, last })
            .ok_or(FsError::FileTooLarge)
    }

    /// From `first` to `last`, both included; `None` if that is nothing.
    pub const fn from_bounds(first: u64, last: u64) -> Option<Self> {
        if first <= last {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// The first byte.
    pub const fn first(self) -> u64 {
        self.first
    }

    /// The last byte.
    pub const fn last(self) -> u64 {
        self.last
    }

    /// The number of bytes, or 0 for a range to the end: as lock protocols have it.
    pub const fn length(self) -> u64 {
        if self.last == u64::MAX {
            0
        } else {
            self.last - self.first + 1
        }
    }

    /// Whether a byte is in both.
    pub const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether all of `other` is in this.
    pub const fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether both together are one range: they overlap, or one begins where the other ends.
    pub const fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }

    /// The least range that has both in it.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// What is left of this without `cut`: a part before it and a part behind it.
    pub fn without(self, cut: Self) -> (Option<Self>, Option<Self>) {
        if !self.overlaps(cut) {
            return (Some(self), None);
        }
        let before = cut.first.checked_sub(1);
        let behind = cut.last.checked_add(1);
        (
            before.and_then(|last| Self::from_bounds(self.first, last)),
            behind.and_then(|first| Self::from_bounds(first, self.last)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, length: u64) -> LockRange {
        LockRange::new(first, length).unwrap()
    }

    #[test]
    fn a_length_of_zero_means_to_the_end() {
        assert_eq!(range(0, 0), LockRange::WHOLE);
        assert_eq!(range(5, 0).last(), u64::MAX);
        assert_eq!(range(5, u64::MAX - 4).length(), 0);
        assert_eq!(range(u64::MAX, 1).length(), 0);
        assert_eq!(range(3, 4).length(), 4);
        assert_eq!(LockRange::new(1, u64::MAX), Ok(range(1, 0)));
        assert_eq!(LockRange::new(2, u64::MAX), Err(FsError::FileTooLarge));
    }

    #[test]
    fn neighbours_touch_and_do_not_overlap() {
        assert!(range(0, 5).touches(range(5, 1)));
        assert!(range(5, 1).touches(range(0, 5)));
        assert!(!range(0, 5).overlaps(range(5, 1)));
        assert!(!range(0, 5).touches(range(6, 1)));
        assert!(range(7, 0).touches(LockRange::WHOLE));
        assert!(LockRange::WHOLE.covers(range(9, 0)) && !range(9, 0).covers(LockRange::WHOLE));
    }

    #[test]
    fn a_cut_leaves_what_is_on_both_sides() {
        let whole = LockRange::WHOLE;
        assert_eq!(whole.without(whole), (None, None));
        assert_eq!(
            whole.without(range(5, 5)),
            (Some(range(0, 5)), Some(range(10, 0)))
        );
        assert_eq!(range(3, 4).without(range(0, 4)), (None, Some(range(4, 3))));
        assert_eq!(range(3, 4).without(range(5, 0)), (Some(range(3, 2)), None));
        assert_eq!(range(3, 4).without(range(7, 1)), (Some(range(3, 4)), None));
    }
}
