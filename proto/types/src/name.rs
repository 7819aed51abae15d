//! Names of directory entries.

use std::fmt;

use bytes::Bytes;

use crate::FsError;

/// The longest name of an entry, in bytes (POSIX `NAME_MAX`).
pub const NAME_BYTES_MAX: usize = 255;

/// The longest target of a symbolic link, in bytes (POSIX `PATH_MAX` less its NUL).
pub const SYMLINK_BYTES_MAX: usize = 4095;

/// How many names a file may have (POSIX `LINK_MAX`); a directory may have any number of directories.
pub const LINK_COUNT_MAX: u32 = 32_000;

/// The name of a directory entry: 1 to 255 bytes, no `/`, no NUL, neither `.` nor `..`.
/// Bytes, not text: POSIX gives names no encoding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Bytes);

impl FileName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`FsError::NameTooLong`] over 255 bytes; [`FsError::Invalid`] for an empty name, `.`, `..`, or one with
    /// `/` or NUL.
    pub fn new(name: impl Into<Bytes>) -> Result<Self, FsError> {
        let name = name.into();
        if name.len() > NAME_BYTES_MAX {
            return Err(FsError::NameTooLong);
        }
        let forbidden = name.iter().any(|&byte| byte == b'/' || byte == 0);
        if name.is_empty() || forbidden || &name[..] == b"." || &name[..] == b".." {
            return Err(FsError::Invalid);
        }
        Ok(Self(name))
    }

    /// The name's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name's bytes, shared.
    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_any_bytes_but_the_forbidden() {
        assert!(FileName::new(&b"plain"[..]).is_ok());
        assert!(FileName::new(&[0xff, 0xfe, b'\n'][..]).is_ok());
        assert!(FileName::new(vec![b'a'; NAME_BYTES_MAX]).is_ok());
        let long = FileName::new(vec![b'a'; NAME_BYTES_MAX + 1]);
        assert_eq!(long, Err(FsError::NameTooLong));
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
            assert_eq!(FileName::new(bad), Err(FsError::Invalid), "{bad:?}");
        }
    }
}
