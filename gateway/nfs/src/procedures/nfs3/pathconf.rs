//! PATHCONF (RFC 1813 section 3.3.20): POSIX limits, the same for every file.

use sluice_proto_nfs::nfs3::{PathConfArgs, PathConfOk, PathConfResult};
use sluice_types::{LINK_COUNT_MAX, NAME_BYTES_MAX};

use super::context::NfsCall;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &PathConfArgs) -> PathConfResult {
    let object = call.open(&arguments.object)?;
    match call.files().get_node(&object.caller, object.inode).await {
        Ok(node) => Ok(PathConfOk {
            attributes: Some(call.attributes(&node)),
            link_max: LINK_COUNT_MAX,
            name_max: NAME_BYTES_MAX as u32,
            no_truncation: true,
            chown_restricted: true,
            case_insensitive: false,
            case_preserving: true,
        }),
        Err(error) => Err(call.failed(&object, error).await),
    }
}
