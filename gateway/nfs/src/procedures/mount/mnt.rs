//! MNT (RFC 1813 section 5.2.1): any directory at or below an export that the client may use.

use sluice_proto_nfs::mount::{MountArgs, MountOk, MountResult, MountStatus};
use sluice_proto_nfs::rpc::AuthFlavor;
use sluice_proto_nfs::xdr::U32Array;
use sluice_types::{Credentials, FileKind};
use sluice_vfs::Caller;

use super::canonical;
use crate::call::Call;
use crate::engine::Engine;
use crate::handle::HandleContents;
use crate::mount_table::Mount;
use crate::status::mount_status;

pub(super) async fn serve(engine: &Engine, call: &Call, arguments: &MountArgs<'_>) -> MountResult {
    let path = arguments.path.bytes();
    if !path.starts_with(b"/") {
        return Err(MountStatus::Invalid);
    }
    let path = &canonical(path);
    // Who may mount is the export's word, not the file's permissions: the path is walked as root.
    let export = engine
        .exports
        .for_path(path, call.client)
        .filter(|export| call.may_use(export))
        .ok_or(MountStatus::AccessDenied)?;
    // So that its `..` leads nowhere even if it is renamed before it is looked at.
    engine
        .find_export_root(export)
        .await
        .map_err(mount_status)?;
    let caller = Caller::new(Credentials::root());
    let node = engine
        .files
        .resolve(&caller, path)
        .await
        .map_err(mount_status)?;
    if node.attributes.kind != FileKind::Directory {
        return Err(MountStatus::NotDirectory);
    }
    engine.mounts.add(Mount {
        client: call.client,
        path: path.clone(),
    });
    let handle = engine.handles.make(HandleContents {
        export: export.id,
        inode: node.id,
        generation: node.generation,
    });
    let flavors = [AuthFlavor::SYS.0, AuthFlavor::NONE.0];
    let auth_flavors = U32Array::new(&flavors).map_err(|_| MountStatus::ServerFault)?;
    Ok(MountOk {
        handle,
        auth_flavors,
    })
}
