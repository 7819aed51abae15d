//! Numbers and names of `nfsserve`'s statuses, which has neither.

use super::nfsstat3;

/// The status that has this number on the wire.
pub const fn status_from_number(number: u32) -> Option<nfsstat3> {
    Some(match number {
        0 => nfsstat3::NFS3_OK,
        1 => nfsstat3::NFS3ERR_PERM,
        2 => nfsstat3::NFS3ERR_NOENT,
        5 => nfsstat3::NFS3ERR_IO,
        6 => nfsstat3::NFS3ERR_NXIO,
        13 => nfsstat3::NFS3ERR_ACCES,
        17 => nfsstat3::NFS3ERR_EXIST,
        18 => nfsstat3::NFS3ERR_XDEV,
        19 => nfsstat3::NFS3ERR_NODEV,
        20 => nfsstat3::NFS3ERR_NOTDIR,
        21 => nfsstat3::NFS3ERR_ISDIR,
        22 => nfsstat3::NFS3ERR_INVAL,
        27 => nfsstat3::NFS3ERR_FBIG,
        28 => nfsstat3::NFS3ERR_NOSPC,
        30 => nfsstat3::NFS3ERR_ROFS,
        31 => nfsstat3::NFS3ERR_MLINK,
        63 => nfsstat3::NFS3ERR_NAMETOOLONG,
        66 => nfsstat3::NFS3ERR_NOTEMPTY,
        69 => nfsstat3::NFS3ERR_DQUOT,
        70 => nfsstat3::NFS3ERR_STALE,
        71 => nfsstat3::NFS3ERR_REMOTE,
        10001 => nfsstat3::NFS3ERR_BADHANDLE,
        10002 => nfsstat3::NFS3ERR_NOT_SYNC,
        10003 => nfsstat3::NFS3ERR_BAD_COOKIE,
        10004 => nfsstat3::NFS3ERR_NOTSUPP,
        10005 => nfsstat3::NFS3ERR_TOOSMALL,
        10006 => nfsstat3::NFS3ERR_SERVERFAULT,
        10007 => nfsstat3::NFS3ERR_BADTYPE,
        10008 => nfsstat3::NFS3ERR_JUKEBOX,
        _ => return None,
    })
}

/// The status's name without `NFS3ERR_`, in lower case: for labels and logs.
pub const fn status_name(status: nfsstat3) -> &'static str {
    match status {
        nfsstat3::NFS3_OK => "ok",
        nfsstat3::NFS3ERR_PERM => "perm",
        nfsstat3::NFS3ERR_NOENT => "noent",
        nfsstat3::NFS3ERR_IO => "io",
        nfsstat3::NFS3ERR_NXIO => "nxio",
        nfsstat3::NFS3ERR_ACCES => "acces",
        nfsstat3::NFS3ERR_EXIST => "exist",
        nfsstat3::NFS3ERR_XDEV => "xdev",
        nfsstat3::NFS3ERR_NODEV => "nodev",
        nfsstat3::NFS3ERR_NOTDIR => "notdir",
        nfsstat3::NFS3ERR_ISDIR => "isdir",
        nfsstat3::NFS3ERR_INVAL => "inval",
        nfsstat3::NFS3ERR_FBIG => "fbig",
        nfsstat3::NFS3ERR_NOSPC => "nospc",
        nfsstat3::NFS3ERR_ROFS => "rofs",
        nfsstat3::NFS3ERR_MLINK => "mlink",
        nfsstat3::NFS3ERR_NAMETOOLONG => "nametoolong",
        nfsstat3::NFS3ERR_NOTEMPTY => "notempty",
        nfsstat3::NFS3ERR_DQUOT => "dquot",
        nfsstat3::NFS3ERR_STALE => "stale",
        nfsstat3::NFS3ERR_REMOTE => "remote",
        nfsstat3::NFS3ERR_BADHANDLE => "badhandle",
        nfsstat3::NFS3ERR_NOT_SYNC => "not_sync",
        nfsstat3::NFS3ERR_BAD_COOKIE => "bad_cookie",
        nfsstat3::NFS3ERR_NOTSUPP => "notsupp",
        nfsstat3::NFS3ERR_TOOSMALL => "toosmall",
        nfsstat3::NFS3ERR_SERVERFAULT => "serverfault",
        nfsstat3::NFS3ERR_BADTYPE => "badtype",
        nfsstat3::NFS3ERR_JUKEBOX => "jukebox",
    }
}
