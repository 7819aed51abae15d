//! SETATTR (RFC 1813 section 3.3.2).

use sluice_proto_nfs::nfs3::{SetAttrArgs, SetAttrResult};

use super::context::NfsCall;
use crate::attributes::{changes_from_wire, time_from_wire};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &SetAttrArgs) -> SetAttrResult {
    let object = call.open_once(&arguments.object)?;
    let changes = changes_from_wire(&arguments.attributes)?;
    let guard = arguments.guard_ctime.map(time_from_wire).transpose()?;
    let changed = call
        .files()
        .set_attributes(&object.caller, object.inode, changes, guard)
        .await;
    match changed {
        Ok(changed) => Ok(call.wcc(&changed.before, &changed.after)),
        Err(error) => Err(call.refused(error)),
    }
}
