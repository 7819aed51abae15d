//! RENAME (RFC 1813 section 3.3.14).

use sluice_proto_nfs::nfs3::{RenameArgs, RenameResult, RenameWcc};
use sluice_types::FsError;
use sluice_wire::meta::Renamed;

use super::context::{NfsCall, Opened, entry_name};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &RenameArgs<'_>) -> RenameResult {
    let from = call.open_once(&arguments.from.directory)?;
    let to = call.open(&arguments.to.directory)?;
    match rename(
        call,
        (&from, &arguments.from.name),
        (&to, &arguments.to.name),
    )
    .await
    {
        Ok(renamed) => Ok(RenameWcc {
            from_directory: call.directory_wcc(from.inode, &renamed.from),
            to_directory: call.directory_wcc(to.inode, &renamed.to),
        }),
        Err(error) => Err(call.refused(error)),
    }
}

async fn rename(
    call: &NfsCall<'_>,
    (from, from_name): (&Opened<'_>, &[u8]),
    (to, to_name): (&Opened<'_>, &[u8]),
) -> Result<Renamed, FsError> {
    // What one export offers is not moved to where only another one reaches it.
    if from.export.id != to.export.id {
        return Err(FsError::CrossDevice);
    }
    let (from_name, to_name) = (entry_name(from_name)?, entry_name(to_name)?);
    let files = call.files();
    files
        .rename(&from.caller, from.inode, from_name, to.inode, to_name)
        .await
}
