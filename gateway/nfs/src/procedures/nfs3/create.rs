//! CREATE (RFC 1813 section 3.3.8).

use sluice_proto_nfs::nfs3::{self, CreateArgs, CreateResult, nfsstat3};
use sluice_wire::meta::CreateHow;

use super::context::{NfsCall, new_entry_name};
use crate::attributes::changes_from_wire;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &CreateArgs<'_>) -> CreateResult {
    let directory = call.open_once(&arguments.place.directory)?;
    let how = how_from_wire(&arguments.how)?;
    let made = match new_entry_name(&arguments.place.name) {
        Ok(name) => {
            call.files()
                .create(&directory.caller, directory.inode, name, how)
                .await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(call.created(&directory, &made)),
        Err(error) => Err(call.refused(error)),
    }
}

fn how_from_wire(how: &nfs3::CreateHow) -> Result<CreateHow, nfsstat3> {
    Ok(match how {
        nfs3::CreateHow::Unchecked(changes) => CreateHow::Unchecked(changes_from_wire(changes)?),
        nfs3::CreateHow::Guarded(changes) => CreateHow::Guarded(changes_from_wire(changes)?),
        nfs3::CreateHow::Exclusive(verifier) => CreateHow::Exclusive(*verifier),
    })
}
