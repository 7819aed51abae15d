//! The file-system error.

use sluice_types::FsError;

use super::enumeration;
use crate::generated::common::v1 as common;

enumeration!(FsError = common::Failure, "a known failure" {
    NotFound, Stale, Exists, NotDirectory, IsDirectory, NotEmpty, AccessDenied, NotPermitted, Invalid,
    NameTooLong, FileTooLarge, NoSpace, QuotaExceeded, TooManyLinks, ReadOnly, CrossDevice,
    GuardMismatch, NotSupported, Io, Unavailable, Busy, SessionLapsed, MapOutdated, Internal,
});
