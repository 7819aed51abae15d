//! Who may change a directory's entries.

use sluice_types::{Access, Attributes, Credentials, FsError, Mode, may};

use crate::records::InodeRecord;

/// Whether the caller may search `directory`.
pub(super) fn check_search(
    directory: &InodeRecord,
    credentials: &Credentials,
) -> Result<(), FsError> {
    check(&directory.node.attributes, credentials, Access::EXECUTE)
}

/// Whether the caller may add and remove entries of `directory`.
pub(super) fn check_change_entries(
    directory: &InodeRecord,
    credentials: &Credentials,
) -> Result<(), FsError> {
    let wanted = Access::WRITE.and(Access::EXECUTE);
    check(&directory.node.attributes, credentials, wanted)
}

/// Whether the caller may take `entry` out of `directory`: in a sticky directory, only the owner of
/// the entry's inode or of the directory may.
pub(super) fn check_take_out(
    directory: &InodeRecord,
    entry: &InodeRecord,
    credentials: &Credentials,
) -> Result<(), FsError> {
    check_change_entries(directory, credentials)?;
    let directory = &directory.node.attributes;
    let owner = [directory.uid, entry.node.attributes.uid].contains(&credentials.uid);
    if directory.mode.has(Mode::STICKY) && !owner && !credentials.is_root() {
        return Err(FsError::NotPermitted);
    }
    Ok(())
}

/// Whether the caller may do all of `wanted`.
pub(super) fn check(
    attributes: &Attributes,
    credentials: &Credentials,
    wanted: Access,
) -> Result<(), FsError> {
    if may(attributes, credentials, wanted) {
        Ok(())
    } else {
        Err(FsError::AccessDenied)
    }
}

/// Whether the caller may write the file. An owner always may: it could have opened the file before its
/// mode changed, and only its client knows (RFC 1813 4.4).
pub(super) fn check_write_data(
    attributes: &Attributes,
    credentials: &Credentials,
) -> Result<(), FsError> {
    if credentials.uid == attributes.uid {
        return Ok(());
    }
    check(attributes, credentials, Access::WRITE)
}
