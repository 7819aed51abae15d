//! LOOKUP (RFC 1813 section 3.3.3).

use sluice_proto_nfs::nfs3::{LookupArgs, LookupOk, LookupResult};
use sluice_types::FsError;
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
        // Nothing above an export's root is given out.
        b".." => match call.is_export_root(directory).await? {
            true => LookupName::Current,
            false => LookupName::Parent,
        },
        name => LookupName::Name(entry_name(name)?),
    };
    call.files()
        .lookup(&directory.caller, directory.inode, entry)
        .await
}
