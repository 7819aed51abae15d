//! GETATTR (RFC 1813 section 3.3.1).

use sluice_proto_nfs::nfs3::{GetAttrArgs, GetAttrResult};

use super::context::NfsCall;
use crate::status::nfs_status;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &GetAttrArgs) -> GetAttrResult {
    let object = call.open(&arguments.object)?;
    match call.files().get_node(&object.caller, object.inode).await {
        Ok(node) => Ok(call.attributes(&node)),
        Err(error) => Err(nfs_status(error).into()),
    }
}
