//! The same made-up values in both vocabularies: ours and `nfs3_types`'.

#![allow(dead_code, reason = "each test program uses a part")]

use std::fmt::Debug;

use nfs3_types::nfs3 as theirs;
use nfs3_types::xdr_codec::{Opaque, Pack, Unpack};
use proptest::prelude::*;
use sluice_proto_nfs::nfs3::{self as ours, FileHandle};
use sluice_proto_nfs::xdr::{BoundedBytes, Decode, Encode};

/// A value that exists in both vocabularies.
pub struct Both<O, T> {
    pub ours: O,
    pub theirs: T,
}

/// Ours and theirs are the same bytes, and those bytes decode to the same value on both sides.
pub fn agree<'a, O, T>(value: &Both<O, T>, bytes: &'a mut Vec<u8>)
where
    O: Encode + Decode<'a> + Debug,
    T: Pack + Unpack,
{
    *bytes = value.ours.to_bytes();
    assert_eq!(*bytes, packed(&value.theirs), "{:?}", value.ours);
    let (unpacked, length) = T::unpack(&mut &bytes[..]).expect("theirs decodes ours");
    assert_eq!(length, bytes.len());
    assert_eq!(packed(&unpacked), *bytes);
    let decoded = O::from_bytes(bytes).expect("ours decodes theirs");
    assert_eq!(format!("{decoded:?}"), format!("{:?}", value.ours));
    assert_eq!(decoded.to_bytes(), *bytes);
}

pub fn packed(value: &impl Pack) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.pack(&mut bytes).expect("packing into memory");
    assert_eq!(bytes.len(), value.packed_size());
    bytes
}

pub fn bounded<const LIMIT: usize>(bytes: &[u8]) -> BoundedBytes<'_, LIMIT> {
    BoundedBytes::new(bytes).expect("short enough")
}

pub fn their_handle(bytes: &[u8]) -> theirs::nfs_fh3 {
    theirs::nfs_fh3 {
        data: Opaque::owned(bytes.to_vec()),
    }
}

pub fn our_handle(bytes: &[u8]) -> FileHandle {
    FileHandle::new(bytes).expect("short enough")
}

pub fn handle_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=64)
}

pub fn name_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=300)
}

pub fn our_name<'a>(handle: &[u8], name: &'a [u8]) -> ours::DirectoryEntryName<'a> {
    ours::DirectoryEntryName {
        directory: our_handle(handle),
        name: bounded(name),
    }
}

pub fn their_name<'a>(handle: &[u8], name: &'a [u8]) -> theirs::diropargs3<'a> {
    theirs::diropargs3 {
        dir: their_handle(handle),
        name: name.into(),
    }
}

/// A time, in numbers.
pub type Time = (u32, u32);

pub fn our_time((seconds, nseconds): Time) -> ours::nfstime3 {
    ours::nfstime3 { seconds, nseconds }
}

pub fn their_time((seconds, nseconds): Time) -> theirs::nfstime3 {
    theirs::nfstime3 { seconds, nseconds }
}

/// Attributes, in numbers.
pub type Numbers = (u32, [u32; 6], [u64; 4], [Time; 3]);

pub fn attributes() -> impl Strategy<Value = Numbers> {
    (
        1..=7_u32,
        any::<[u32; 6]>(),
        any::<[u64; 4]>(),
        any::<[Time; 3]>(),
    )
}

pub fn our_attributes((kind, narrow, wide, times): Numbers) -> ours::fattr3 {
    use ours::ftype3::*;
    let kinds = [NF3REG, NF3DIR, NF3BLK, NF3CHR, NF3LNK, NF3SOCK, NF3FIFO];
    ours::fattr3 {
        ftype: kinds[kind as usize - 1],
        mode: narrow[0],
        nlink: narrow[1],
        uid: narrow[2],
        gid: narrow[3],
        size: wide[0],
        used: wide[1],
        rdev: ours::specdata3 {
            specdata1: narrow[4],
            specdata2: narrow[5],
        },
        fsid: wide[2],
        fileid: wide[3],
        atime: our_time(times[0]),
        mtime: our_time(times[1]),
        ctime: our_time(times[2]),
    }
}

pub fn their_attributes((kind, narrow, wide, times): Numbers) -> theirs::fattr3 {
    use theirs::ftype3::*;
    let kinds = [NF3REG, NF3DIR, NF3BLK, NF3CHR, NF3LNK, NF3SOCK, NF3FIFO];
    theirs::fattr3 {
        type_: kinds[kind as usize - 1],
        mode: narrow[0],
        nlink: narrow[1],
        uid: narrow[2],
        gid: narrow[3],
        size: wide[0],
        used: wide[1],
        rdev: theirs::specdata3 {
            specdata1: narrow[4],
            specdata2: narrow[5],
        },
        fsid: wide[2],
        fileid: wide[3],
        atime: their_time(times[0]),
        mtime: their_time(times[1]),
        ctime: their_time(times[2]),
    }
}

pub fn theirs_optional<A, B: Pack + Unpack>(
    value: Option<A>,
    convert: impl FnOnce(A) -> B,
) -> theirs::Nfs3Option<B> {
    match value {
        Some(value) => theirs::Nfs3Option::Some(convert(value)),
        None => theirs::Nfs3Option::None,
    }
}

/// Before and after, in numbers.
pub type Wcc = (Option<(u64, Time, Time)>, Option<Numbers>);

pub fn wcc() -> impl Strategy<Value = Wcc> {
    (
        any::<Option<(u64, Time, Time)>>(),
        prop::option::of(attributes()),
    )
}

pub fn our_wcc((before, after): Wcc) -> ours::WccData {
    ours::WccData {
        before: before.map(|(size, mtime, ctime)| ours::wcc_attr {
            size,
            mtime: our_time(mtime),
            ctime: our_time(ctime),
        }),
        after: after.map(our_attributes),
    }
}

pub fn their_wcc((before, after): Wcc) -> theirs::wcc_data {
    theirs::wcc_data {
        before: theirs_optional(before, |(size, mtime, ctime)| theirs::wcc_attr {
            size,
            mtime: their_time(mtime),
            ctime: their_time(ctime),
        }),
        after: theirs_optional(after, their_attributes),
    }
}

/// A time to set: not, the server's, or this.
pub type TimeChoice = Option<Option<Time>>;
/// Attributes to set, in numbers.
pub type Settings = ([Option<u32>; 3], Option<u64>, TimeChoice, TimeChoice);

pub fn our_settings((numbers, size, atime, mtime): Settings) -> ours::SetAttributes {
    let time = |choice: TimeChoice| match choice {
        None => ours::SetTime::DontChange,
        Some(None) => ours::SetTime::ServerTime,
        Some(Some(time)) => ours::SetTime::ClientTime(our_time(time)),
    };
    ours::SetAttributes {
        mode: numbers[0],
        uid: numbers[1],
        gid: numbers[2],
        size,
        atime: time(atime),
        mtime: time(mtime),
    }
}

pub fn their_settings((numbers, size, atime, mtime): Settings) -> theirs::sattr3 {
    theirs::sattr3 {
        mode: theirs_optional(numbers[0], |mode| mode),
        uid: theirs_optional(numbers[1], |uid| uid),
        gid: theirs_optional(numbers[2], |gid| gid),
        size: theirs_optional(size, |size| size),
        atime: match atime {
            None => theirs::set_atime::DONT_CHANGE,
            Some(None) => theirs::set_atime::SET_TO_SERVER_TIME,
            Some(Some(time)) => theirs::set_atime::SET_TO_CLIENT_TIME(their_time(time)),
        },
        mtime: match mtime {
            None => theirs::set_mtime::DONT_CHANGE,
            Some(None) => theirs::set_mtime::SET_TO_SERVER_TIME,
            Some(Some(time)) => theirs::set_mtime::SET_TO_CLIENT_TIME(their_time(time)),
        },
    }
}

/// [`agree`] for arguments that borrow: what `nfs3_types` decodes owns its bytes, so only packing is
/// compared on that side, and decoding here.
pub fn agree_borrowed<O, T: Pack>(ours: &O, theirs: &T)
where
    O: Encode + Debug + Redecode,
{
    let bytes = packed(theirs);
    assert_eq!(ours.to_bytes(), bytes, "{ours:?}");
    assert_eq!(O::redecode(&bytes), (format!("{ours:?}"), bytes.clone()));
}

/// Decoding to a type of any lifetime.
pub trait Redecode {
    /// The decoded value for reading, and encoded again.
    fn redecode(bytes: &[u8]) -> (String, Vec<u8>);
}

macro_rules! redecode {
    ($($kind:ident),*) => {$(
        impl Redecode for ours::$kind<'_> {
            fn redecode(bytes: &[u8]) -> (String, Vec<u8>) {
                let value = ours::$kind::from_bytes(bytes).expect("decodes");
                (format!("{value:?}"), value.to_bytes())
            }
        }
    )*};
}

redecode!(
    LookupArgs,
    RemoveArgs,
    RmdirArgs,
    RenameArgs,
    LinkArgs,
    CreateArgs,
    MkdirArgs,
    SymlinkArgs,
    MknodArgs,
    WriteArgs,
    ReadlinkOk,
    ReadOk
);
