//! FSINFO (RFC 1813 section 3.3.19): what this server can do, the same for every file.

use sluice_proto_nfs::nfs3::{FsInfoArgs, FsInfoOk, FsInfoResult, fattr3, nfstime3, properties};
use sluice_types::FILE_SIZE_MAX;

use super::context::NfsCall;
use crate::limits::TRANSFER_LENGTH_MAX;

/// What transfers had best be a multiple of: a page.
const MULTIPLE: u32 = 4096;

/// What a page of a directory had best be: enough for some 350 entries with attributes.
const READDIR_PREFERRED: u32 = 64 << 10;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &FsInfoArgs) -> FsInfoResult {
    let root = call.open(&arguments.root)?;
    match call.files().get_node(&root.caller, root.inode).await {
        Ok(node) => Ok(info(call.attributes(&node))),
        Err(error) => Err(call.failed(&root, error).await),
    }
}

const fn info(attributes: fattr3) -> FsInfoOk {
    FsInfoOk {
        attributes: Some(attributes),
        read_max: TRANSFER_LENGTH_MAX,
        read_preferred: TRANSFER_LENGTH_MAX,
        read_multiple: MULTIPLE,
        write_max: TRANSFER_LENGTH_MAX,
        write_preferred: TRANSFER_LENGTH_MAX,
        write_multiple: MULTIPLE,
        readdir_preferred: READDIR_PREFERRED,
        file_size_max: FILE_SIZE_MAX,
        time_delta: nfstime3 {
            seconds: 0,
            nseconds: 1,
        },
        properties: properties::LINK
            | properties::SYMLINK
            | properties::HOMOGENEOUS
            | properties::CAN_SET_TIME,
    }
}
