//! REMOVE (RFC 1813 section 3.3.12).

use sluice_proto_nfs::nfs3::{RemoveArgs, RemoveResult};

use super::context::{NfsCall, entry_name};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &RemoveArgs<'_>) -> RemoveResult {
    let directory = call.open_once(&arguments.object.directory)?;
    let removed = match entry_name(&arguments.object.name) {
        Ok(name) => {
            call.files()
                .remove(&directory.caller, directory.inode, name)
                .await
        }
        Err(error) => Err(error),
    };
    match removed {
        Ok(removed) => Ok(call.directory_wcc(directory.inode, &removed.directory)),
        Err(error) => Err(call.refused(error)),
    }
}
