//! Changing attributes: the rules of POSIX `chmod`, `chown`, `truncate` and `utimensat` as Linux has them.

use sluice_types::{
    Attributes, Credentials, DataVersion, FILE_SIZE_MAX, FileKind, FsError, Mode, SetAttributes,
    SetTime, Timestamp, owns,
};

use super::permission::check_write_data;
use super::times::{chosen, note_changed};
use crate::records::InodeRecord;

/// The group's execute bit: a set-group-id bit without it means something else (mandatory locking).
const GROUP_EXECUTE: u16 = 0o010;

/// Storage counts space in blocks of this size.
const STORAGE_BLOCK_BYTES: u64 = 4096;

/// Whether the caller may make these changes.
pub(super) fn check_changes(
    attributes: &Attributes,
    credentials: &Credentials,
    changes: &SetAttributes,
) -> Result<(), FsError> {
    check_owner_changes(attributes, credentials, changes)?;
    if changes.mode.is_some() && !owns(attributes, credentials) {
        return Err(FsError::NotPermitted);
    }
    for time in [changes.accessed, changes.modified].into_iter().flatten() {
        check_time(attributes, credentials, time)?;
    }
    if let Some(size_bytes) = changes.size_bytes {
        check_size(attributes, size_bytes)?;
        check_write_data(attributes, credentials)?;
    }
    Ok(())
}

/// Whether a file of this kind can have this size.
pub(super) fn check_size(attributes: &Attributes, size_bytes: u64) -> Result<(), FsError> {
    match attributes.kind {
        FileKind::Regular if size_bytes > FILE_SIZE_MAX => Err(FsError::FileTooLarge),
        FileKind::Regular => Ok(()),
        FileKind::Directory => Err(FsError::IsDirectory),
        _ => Err(FsError::Invalid),
    }
}

fn check_owner_changes(
    attributes: &Attributes,
    credentials: &Credentials,
    changes: &SetAttributes,
) -> Result<(), FsError> {
    if credentials.is_root() {
        return Ok(());
    }
    let is_owner = credentials.uid == attributes.uid;
    let uid_stays = changes.uid.is_none_or(|uid| uid == attributes.uid);
    let gid_is_own = changes
        .gid
        .is_none_or(|gid| gid == attributes.gid || credentials.in_group(gid));
    let asks = changes.uid.is_some() || changes.gid.is_some();
    if asks && !(is_owner && uid_stays && gid_is_own) {
        return Err(FsError::NotPermitted);
    }
    Ok(())
}

fn check_time(
    attributes: &Attributes,
    credentials: &Credentials,
    time: SetTime,
) -> Result<(), FsError> {
    match time {
        SetTime::Now => check_write_data(attributes, credentials),
        SetTime::To(_) if owns(attributes, credentials) => Ok(()),
        SetTime::To(_) => Err(FsError::NotPermitted),
    }
}

/// Makes changes that were checked.
pub(super) fn apply_changes(
    record: &mut InodeRecord,
    credentials: &Credentials,
    changes: &SetAttributes,
    now: Timestamp,
) {
    let stamp = note_changed(&mut record.node.attributes, now);
    let attributes = &mut record.node.attributes;
    if changes.uid.is_some() || changes.gid.is_some() {
        drop_set_ids_for_owner_change(attributes, credentials);
    }
    attributes.uid = changes.uid.unwrap_or(attributes.uid);
    attributes.gid = changes.gid.unwrap_or(attributes.gid);
    if let Some(mode) = changes.mode {
        attributes.mode = permitted_mode(attributes, credentials, changes, mode);
    }
    if let Some(size_bytes) = changes.size_bytes {
        set_size(record, size_bytes);
        record.node.attributes.modified = stamp;
        drop_set_ids_for_write(&mut record.node.attributes, credentials);
    }
    let attributes = &mut record.node.attributes;
    if let Some(accessed) = changes.accessed {
        attributes.accessed = chosen(accessed, stamp);
    }
    if let Some(modified) = changes.modified {
        attributes.modified = chosen(modified, stamp);
    }
}

/// The mode that a caller gets who asks for `mode`.
fn permitted_mode(
    attributes: &Attributes,
    credentials: &Credentials,
    changes: &SetAttributes,
    mode: Mode,
) -> Mode {
    let mut mode = mode;
    let changes_owner = changes.uid.is_some() || changes.gid.is_some();
    if changes_owner && attributes.kind != FileKind::Directory {
        mode = mode.without(Mode::SET_UID);
        if mode.has(GROUP_EXECUTE) {
            mode = mode.without(Mode::SET_GID);
        }
    }
    if !credentials.is_root() && !credentials.in_group(attributes.gid) {
        mode = mode.without(Mode::SET_GID);
    }
    mode
}

/// A change of owner or group takes a program's set-id bits, whoever makes it.
fn drop_set_ids_for_owner_change(attributes: &mut Attributes, credentials: &Credentials) {
    if attributes.kind != FileKind::Directory {
        drop_set_ids(attributes, credentials);
    }
}

/// A write by anyone but the superuser takes a file's set-id bits.
pub(super) fn drop_set_ids_for_write(attributes: &mut Attributes, credentials: &Credentials) {
    if !credentials.is_root() {
        drop_set_ids(attributes, credentials);
    }
}

fn drop_set_ids(attributes: &mut Attributes, credentials: &Credentials) {
    let member = credentials.is_root() || credentials.in_group(attributes.gid);
    let drops_group = attributes.mode.has(GROUP_EXECUTE) || !member;
    attributes.mode = attributes.mode.without(Mode::SET_UID);
    if drops_group {
        attributes.mode = attributes.mode.without(Mode::SET_GID);
    }
}

/// Sets a regular file's size. If storage may hold bytes beyond it, they are to be cut: after a
/// shrinking, and while the file is being written, when the recorded size may be behind what storage has.
fn set_size(record: &mut InodeRecord, size_bytes: u64) {
    let node = &mut record.node;
    let old_bytes = node.attributes.size_bytes;
    let being_written = node.writer.raw() != 0;
    if size_bytes == old_bytes && !being_written {
        return;
    }
    if size_bytes < old_bytes || being_written {
        let cut_from = node.pending_trim.unwrap_or(u64::MAX).min(size_bytes);
        node.pending_trim = Some(cut_from);
    }
    node.attributes.size_bytes = size_bytes;
    bound_used(&mut node.attributes, size_bytes);
    // The data is another now: what was cached of it must not be served.
    node.data_version = DataVersion::new(node.data_version.raw() + 1);
}

/// What is left of a file that was cut takes no more than its bytes; the next report from storage says it exactly.
pub(super) fn bound_used(attributes: &mut Attributes, size_bytes: u64) {
    let most = size_bytes.checked_next_multiple_of(STORAGE_BLOCK_BYTES);
    attributes.used_bytes = attributes.used_bytes.min(most.unwrap_or(u64::MAX));
}
