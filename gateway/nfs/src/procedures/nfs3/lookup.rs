//! LOOKUP (RFC 1813 section 3.3.3).

use sluice_proto_nfs::nfs3::{LookupArgs, LookupOk, LookupResult};
use sluice_types::{FsError, InodeId};
use sluice_vfs::Caller;
use sluice_wire::meta::{Looked, LookupName};

use super::context::{NfsCall, Opened, entry_name};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &LookupArgs<'_>) -> LookupResult {
    let directory = call.open(&arguments.what.directory)?;
    match find(call, &directory, &arguments.what.name).await {
        Ok(looked) => Ok(LookupOk {
            object: call.handle(directory.export, &looked.node),
            attributes: Some(call.attributes(&looked.node)),
            directory_attributes: Some(call.attributes_of(directory.inode, &looked.directory)),
        }),
        Err(error) => Err(call.failed(&directory, error).await),
    }
}

async fn find(call: &NfsCall<'_>, directory: &Opened<'_>, name: &[u8]) -> Result<Looked, FsError> {
    let entry = match name {
        b"." => LookupName::Current,
        b".." if directory.inode == export_root(call, directory).await? => LookupName::Current,
        b".." => LookupName::Parent,
        name => LookupName::Name(entry_name(name)?),
    };
    call.files()
        .lookup(&directory.caller, directory.inode, entry)
        .await
}

/// The root of the export that a directory was reached through: nothing above it is given out.
pub(super) async fn export_root(
    call: &NfsCall<'_>,
    directory: &Opened<'_>,
) -> Result<InodeId, FsError> {
    if directory.export.path == b"/" {
        return Ok(InodeId::ROOT);
    }
    let root = Caller::new(sluice_types::Credentials::root());
    let node = call.files().resolve(&root, &directory.export.path).await?;
    Ok(node.id)
}
