//! LINK (RFC 1813 section 3.3.15).

use sluice_proto_nfs::nfs3::{LinkArgs, LinkResult, Linked};
use sluice_types::FsError;
use sluice_wire::meta::Made;

use super::context::{NfsCall, Opened, new_entry_name};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &LinkArgs<'_>) -> LinkResult {
    let file = call.open(&arguments.file)?;
    let directory = call.open_once(&arguments.link.directory)?;
    match link(call, &file, &directory, &arguments.link.name).await {
        Ok(made) => Ok(Linked {
            attributes: call.made_attributes(&made),
            directory_wcc: call.directory_wcc(directory.inode, &made.directory),
        }),
        Err(error) => Err(call.refused(error)),
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
