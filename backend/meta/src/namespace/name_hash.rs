//! Where a name belongs in its directory: a keyed hash of it.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use sluice_types::{Cookie, FileName};

/// Maps names to cookies under a key that clients do not know, so that nobody can make names that
/// collide on purpose.
#[derive(Clone, Debug)]
pub struct NameHash {
    hasher: SipHasher13,
    /// The number of different cookies; all there are, but for tests.
    span: u64,
}

impl NameHash {
    /// A hash under `key`.
    pub fn new(key: u128) -> Self {
        Self::with_span(key, Cookie::MAX.raw() - Cookie::FIRST_ENTRY.raw() + 1)
    }

    /// A hash with only `span` different cookies, so that names collide.
    pub(crate) fn with_span(key: u128, span: u64) -> Self {
        Self {
            hasher: SipHasher13::new_with_key(&key.to_le_bytes()),
            span,
        }
    }

    /// The cookie where the search for `name` starts.
    pub fn home(&self, name: &FileName) -> Cookie {
        let mut hasher = self.hasher;
        hasher.write(name.as_bytes());
        Cookie::new(Cookie::FIRST_ENTRY.raw() + hasher.finish() % self.span)
    }

    /// A hash of something else than a name, which has no NUL in it, under the same key.
    pub fn of_parts(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = self.hasher;
        for part in parts {
            hasher.write(&[0]);
            hasher.write(part);
        }
        hasher.finish()
    }

    /// The cookie after `cookie`; the first one after the last.
    pub fn next(&self, cookie: Cookie) -> Cookie {
        self.moved(cookie, 1)
    }

    /// The cookie before `cookie`; the last one before the first.
    pub fn previous(&self, cookie: Cookie) -> Cookie {
        self.moved(cookie, self.span - 1)
    }

    /// How many steps of [`Self::next`] lead from `from` to `to`.
    pub fn distance(&self, from: Cookie, to: Cookie) -> u64 {
        if to >= from {
            to.raw() - from.raw()
        } else {
            self.span - (from.raw() - to.raw())
        }
    }

    /// The number of different cookies: no probe chain is longer.
    pub fn span(&self) -> u64 {
        self.span
    }

    fn moved(&self, cookie: Cookie, steps: u64) -> Cookie {
        let first = Cookie::FIRST_ENTRY.raw();
        let position =
            (u128::from(cookie.raw() - first) + u128::from(steps)) % u128::from(self.span);
        Cookie::new(first + position as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_in_range_and_follow_the_key() {
        let (one, other) = (NameHash::new(1), NameHash::new(2));
        let name = FileName::new(&b"name"[..]).unwrap();
        assert_eq!(one.home(&name), NameHash::new(1).home(&name));
        assert_ne!(one.home(&name), other.home(&name));
        for number in 0..1000 {
            let home = one.home(&FileName::new(format!("file {number}")).unwrap());
            assert!(home >= Cookie::FIRST_ENTRY && home <= Cookie::MAX);
        }
    }

    #[test]
    fn golden_cookie() {
        // Cookies are durable: the hash must never change.
        let name = FileName::new(&b"name"[..]).unwrap();
        let home = NameHash::new(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10).home(&name);
        assert_eq!(home.raw(), 7_200_029_942_945_092_333);
    }

    #[test]
    fn probing_wraps_around() {
        for hash in [NameHash::new(1), NameHash::with_span(1, 8)] {
            let last = Cookie::new(Cookie::FIRST_ENTRY.raw() + hash.span() - 1);
            assert_eq!(hash.next(last), Cookie::FIRST_ENTRY);
            assert_eq!(hash.previous(Cookie::FIRST_ENTRY), last);
            assert_eq!(hash.distance(last, Cookie::FIRST_ENTRY), 1);
            assert_eq!(hash.distance(Cookie::FIRST_ENTRY, last), hash.span() - 1);
        }
        let all = NameHash::new(1);
        assert_eq!(all.previous(Cookie::FIRST_ENTRY), Cookie::MAX);
    }
}
