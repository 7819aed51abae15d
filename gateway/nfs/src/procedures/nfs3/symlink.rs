//! SYMLINK (RFC 1813 section 3.3.10).

use bytes::Bytes;
use sluice_proto_nfs::nfs3::{SymlinkArgs, SymlinkResult};
use sluice_types::{FsError, SYMLINK_BYTES_MAX};
use sluice_wire::meta::Made;

use super::context::{NfsCall, Opened, new_entry_name};
use crate::attributes::changes_from_wire;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &SymlinkArgs<'_>) -> SymlinkResult {
    let directory = call.open_once(&arguments.place.directory)?;
    let attributes = changes_from_wire(&arguments.attributes)?;
    match make(call, &directory, arguments, attributes).await {
        Ok(made) => Ok(call.created(&directory, &made)),
        Err(error) => Err(call.refused(error)),
    }
}

async fn make(
    call: &NfsCall<'_>,
    directory: &Opened<'_>,
    arguments: &SymlinkArgs<'_>,
    attributes: sluice_types::SetAttributes,
) -> Result<Made, FsError> {
    let name = new_entry_name(&arguments.place.name)?;
    if arguments.target.len() > SYMLINK_BYTES_MAX {
        return Err(FsError::NameTooLong);
    }
    if arguments.target.is_empty() {
        return Err(FsError::Invalid);
    }
    let target = Bytes::copy_from_slice(&arguments.target);
    let (caller, inode) = (&directory.caller, directory.inode);
    call.files()
        .make_symlink(caller, inode, name, attributes, target)
        .await
}
