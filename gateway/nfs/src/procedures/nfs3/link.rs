//! LINK (RFC 1813 section 3.3.15).

use sluice_proto_nfs::nfs3::{Failed, LinkArgs, LinkResult, Linked, WccData};
use sluice_types::FsError;
use sluice_wire::meta::Made;

use super::context::{NfsCall, Opened, new_entry_name};
use crate::status::nfs_status;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &LinkArgs<'_>) -> LinkResult {
    let file = call.open(&arguments.file)?;
    let directory = call.open_once(&arguments.link.directory)?;
    match link(call, &file, &directory, &arguments.link.name).await {
        Ok(made) => Ok(Linked {
            attributes: Some(call.attributes(&made.node)),
            directory_wcc: call.directory_wcc(directory.inode, &made.directory),
        }),
        Err(error) => Err(failed(call, &file, &directory, error).await),
    }
}

async fn link(
    call: &NfsCall<'_>,
    file: &Opened<'_>,
    directory: &Opened<'_>,
    name: &[u8],
) -> Result<Made, FsError> {
    if file.export.id != directory.export.id {
        return Err(FsError::CrossDevice);
    }
    let name = new_entry_name(name)?;
    call.files()
        .link(&directory.caller, file.inode, directory.inode, name)
        .await
}

async fn failed(
    call: &NfsCall<'_>,
    file: &Opened<'_>,
    directory: &Opened<'_>,
    error: FsError,
) -> Failed<Linked> {
    let directory_wcc = WccData {
        before: None,
        after: call.attributes_after(directory, error).await,
    };
    Failed {
        status: nfs_status(error),
        body: Linked {
            attributes: call.attributes_after(file, error).await,
            directory_wcc,
        },
    }
}
