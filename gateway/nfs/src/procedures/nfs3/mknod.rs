//! MKNOD (RFC 1813 section 3.3.11).

use sluice_proto_nfs::nfs3::{self, MknodArgs, MknodResult, MknodWhat, nfsstat3};
use sluice_wire::meta::NodeKind;

use super::context::{NfsCall, new_entry_name};
use crate::attributes::{changes_from_wire, device_from_wire};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &MknodArgs<'_>) -> MknodResult {
    let directory = call.open_once(&arguments.place.directory)?;
    let (node, attributes) = what_from_wire(&arguments.what)?;
    let attributes = changes_from_wire(attributes)?;
    let made = match new_entry_name(&arguments.place.name) {
        Ok(name) => {
            let (caller, files) = (&directory.caller, call.files());
            files
                .make_node(caller, directory.inode, name, attributes, node)
                .await
        }
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => Ok(call.created(&directory, &made)),
        Err(error) => Err(call.refused(error)),
    }
}

/// RFC 1813 3.3.11: regular files, directories and symbolic links have procedures of their own.
const fn what_from_wire(what: &MknodWhat) -> Result<(NodeKind, &nfs3::SetAttributes), nfsstat3> {
    Ok(match what {
        MknodWhat::CharacterDevice(attributes, device) => (
            NodeKind::CharacterDevice(device_from_wire(*device)),
            attributes,
        ),
        MknodWhat::BlockDevice(attributes, device) => {
            (NodeKind::BlockDevice(device_from_wire(*device)), attributes)
        }
        MknodWhat::Socket(attributes) => (NodeKind::Socket, attributes),
        MknodWhat::Pipe(attributes) => (NodeKind::Fifo, attributes),
        MknodWhat::Other(_) => return Err(nfsstat3::NFS3ERR_BADTYPE),
    })
}
