//! DUMP (RFC 1813 section 5.2.2).

use sluice_proto_nfs::mount::{DirectoryPath, HostName, MountEntry, MountListResult};
use sluice_proto_nfs::xdr::EncodedList;

use crate::call::{Call, Endpoint};
use crate::engine::Engine;
use crate::limits::DATAGRAM_LENGTH_MAX;
use crate::reply::Reply;

/// Bytes around an entry's two strings, generously.
const ENTRY_OVERHEAD: usize = 32;

pub(super) fn serve(engine: &Engine, call: &Call) -> Reply {
    let mut room = match call.endpoint {
        Endpoint::NfsDatagrams => DATAGRAM_LENGTH_MAX / 2,
        Endpoint::Nfs | Endpoint::Portmap => usize::MAX,
    };
    let mut list = EncodedList::new();
    for mount in engine.mounts.all() {
        let client = mount.client.to_string();
        let length = client.len() + mount.path.len() + ENTRY_OVERHEAD;
        let strings = (
            HostName::new(client.as_bytes()),
            DirectoryPath::new(&mount.path),
        );
        if let (Ok(host), Ok(directory)) = strings
            && length <= room
        {
            list.push(&MountEntry { host, directory });
            room -= length;
        }
    }
    let mounts = list.as_list();
    Reply::with_results(call.xid, &MountListResult { mounts })
}
