//! The file system's attributes in the protocol's words, and back.

use sluice_proto_nfs::nfs3::{self, fattr3, ftype3, nfsstat3, nfstime3, specdata3, wcc_attr};
use sluice_types::{
    Attributes, Device, FileKind, FileSystemId, InodeId, Mode, SetAttributes, SetTime, Timestamp,
    WccAttributes,
};

const NANOSECONDS: u32 = 1_000_000_000;

/// Attributes of an inode, as every reply has them.
pub(crate) fn on_wire(
    file_system: FileSystemId,
    inode: InodeId,
    attributes: &Attributes,
) -> fattr3 {
    fattr3 {
        ftype: kind_on_wire(attributes.kind),
        mode: attributes.mode.bits().into(),
        nlink: attributes.link_count,
        uid: attributes.uid,
        gid: attributes.gid,
        size: attributes.size_bytes,
        used: attributes.used_bytes,
        rdev: specdata3 {
            specdata1: attributes.device.major,
            specdata2: attributes.device.minor,
        },
        fsid: file_system.raw(),
        fileid: inode.raw(),
        atime: time_on_wire(attributes.accessed),
        mtime: time_on_wire(attributes.modified),
        ctime: time_on_wire(attributes.changed),
    }
}

const fn kind_on_wire(kind: FileKind) -> ftype3 {
    match kind {
        FileKind::Regular => ftype3::NF3REG,
        FileKind::Directory => ftype3::NF3DIR,
        FileKind::Symlink => ftype3::NF3LNK,
        FileKind::Fifo => ftype3::NF3FIFO,
        FileKind::Socket => ftype3::NF3SOCK,
        FileKind::BlockDevice => ftype3::NF3BLK,
        FileKind::CharacterDevice => ftype3::NF3CHR,
    }
}

/// A time; the protocol's seconds are 32 unsigned bits, beyond which times are cut to the nearest.
pub(crate) fn time_on_wire(time: Timestamp) -> nfstime3 {
    nfstime3 {
        seconds: u32::try_from(time.seconds().max(0)).unwrap_or(u32::MAX),
        nseconds: time.nanoseconds(),
    }
}

/// The "before" of weak cache consistency.
pub(crate) fn before_on_wire(before: &WccAttributes) -> wcc_attr {
    wcc_attr {
        size: before.size_bytes,
        mtime: time_on_wire(before.modified),
        ctime: time_on_wire(before.changed),
    }
}

/// A time from the wire.
///
/// # Errors
///
/// NFS3ERR_INVAL for a second or more in its nanoseconds.
pub(crate) const fn time_from_wire(time: nfstime3) -> Result<Timestamp, nfsstat3> {
    if time.nseconds >= NANOSECONDS {
        return Err(nfsstat3::NFS3ERR_INVAL);
    }
    Ok(Timestamp::new(time.seconds as i64, time.nseconds))
}

/// Attributes to set.
///
/// # Errors
///
/// NFS3ERR_INVAL for times that are none.
pub(crate) fn changes_from_wire(changes: &nfs3::SetAttributes) -> Result<SetAttributes, nfsstat3> {
    Ok(SetAttributes {
        mode: changes.mode.map(Mode::new),
        uid: changes.uid,
        gid: changes.gid,
        size_bytes: changes.size,
        accessed: set_time_from_wire(changes.atime)?,
        modified: set_time_from_wire(changes.mtime)?,
    })
}

fn set_time_from_wire(time: nfs3::SetTime) -> Result<Option<SetTime>, nfsstat3> {
    Ok(match time {
        nfs3::SetTime::DontChange => None,
        nfs3::SetTime::ServerTime => Some(SetTime::Now),
        nfs3::SetTime::ClientTime(time) => Some(SetTime::To(time_from_wire(time)?)),
    })
}

/// Device numbers.
pub(crate) const fn device_from_wire(device: specdata3) -> Device {
    Device {
        major: device.specdata1,
        minor: device.specdata2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_outside_the_protocol_are_cut() {
        let seconds = |seconds| time_on_wire(Timestamp::new(seconds, 5)).seconds;
        assert_eq!(seconds(-1), 0);
        assert_eq!(seconds(1 << 31), 1 << 31);
        assert_eq!(seconds(1 << 32), u32::MAX);
    }

    #[test]
    fn a_second_in_nanoseconds_is_invalid() {
        let time = |nseconds| nfstime3 {
            seconds: 1,
            nseconds,
        };
        assert!(time_from_wire(time(999_999_999)).is_ok());
        assert!(time_from_wire(time(NANOSECONDS)).is_err());
        let changes = nfs3::SetAttributes {
            mtime: nfs3::SetTime::ClientTime(time(u32::MAX)),
            ..Default::default()
        };
        assert!(changes_from_wire(&changes).is_err());
    }
}
