//! When things happened: time stamps that never run backwards.

use sluice_types::{Attributes, SetTime, Timestamp};
use sluice_wire::meta::DirectoryChange;

use crate::records::InodeRecord;

use std::time::Duration;

/// The time of a change of this inode: now, but always later than its last change, so that clients can
/// take `changed` for a version.
pub(super) fn stamp(attributes: &Attributes, now: Timestamp) -> Timestamp {
    now.max(attributes.changed.plus(Duration::from_nanos(1)))
}

/// Notes that attributes changed.
pub(super) fn note_changed(attributes: &mut Attributes, now: Timestamp) -> Timestamp {
    let stamp = stamp(attributes, now);
    attributes.changed = stamp;
    stamp
}

/// Notes that data, or a directory's entries, changed.
pub(super) fn note_modified(attributes: &mut Attributes, now: Timestamp) {
    attributes.modified = note_changed(attributes, now);
}

/// The value that a caller sets a time to.
pub(super) fn chosen(time: SetTime, stamp: Timestamp) -> Timestamp {
    match time {
        SetTime::Now => stamp,
        SetTime::To(time) => time,
    }
}

/// Notes that a directory's entries changed, and tells how it was and is.
pub(super) fn change_directory(directory: &mut InodeRecord, now: Timestamp) -> DirectoryChange {
    let before = directory.node.attributes.wcc();
    note_modified(&mut directory.node.attributes, now);
    DirectoryChange {
        before,
        after: directory.node.attributes.clone(),
    }
}

/// A directory that did not change.
pub(super) fn unchanged_directory(directory: &InodeRecord) -> DirectoryChange {
    DirectoryChange {
        before: directory.node.attributes.wcc(),
        after: directory.node.attributes.clone(),
    }
}
