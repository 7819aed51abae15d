//! FSSTAT (RFC 1813 section 3.3.18).

use sluice_proto_nfs::nfs3::{FsStatArgs, FsStatOk, FsStatResult};
use sluice_types::{FsError, Inode};
use sluice_vfs::SpaceStatus;

use super::context::{NfsCall, Opened};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &FsStatArgs) -> FsStatResult {
    let root = call.open(&arguments.root)?;
    match ask(call, &root).await {
        Ok((node, status)) => Ok(FsStatOk {
            attributes: Some(call.attributes(&node)),
            total_bytes: status.total_bytes,
            free_bytes: status.free_bytes,
            available_bytes: status.available_bytes,
            total_files: status.inodes_total,
            free_files: status.inodes_free,
            available_files: status.inodes_available,
            invariant_seconds: 0,
        }),
        Err(error) => Err(call.failed(&root, error).await),
    }
}

async fn ask(call: &NfsCall<'_>, root: &Opened<'_>) -> Result<(Inode, SpaceStatus), FsError> {
    let node = call.files().get_node(&root.caller, root.inode).await?;
    let status = call.files().file_system_status(&root.caller).await?;
    Ok((node, status))
}
