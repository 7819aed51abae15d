//! MKDIR (RFC 1813 section 3.3.9).

use sluice_proto_nfs::nfs3::{MkdirArgs, MkdirResult};

use super::context::{NfsCall, new_entry_name};
use crate::attributes::changes_from_wire;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &MkdirArgs<'_>) -> MkdirResult {
    let parent = call.open_once(&arguments.place.directory)?;
    let attributes = changes_from_wire(&arguments.attributes)?;
    let made = match new_entry_name(&arguments.place.name) {
        Ok(name) => {
            let (caller, files) = (&parent.caller, call.files());
            files
                .make_directory(caller, parent.inode, name, attributes)
                .await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(call.created(&parent, &made)),
        Err(error) => Err(call.refused(error)),
    }
}
