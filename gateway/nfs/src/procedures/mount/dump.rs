//! DUMP (RFC 1813 section 5.2.2): what the asking client has mounted, so that others' mounts are not told. What does not
//! fit into a short reply is left out: the question is a few bytes, and over UDP anybody can ask in another's name.

use sluice_proto_nfs::mount::{DirectoryPath, HostName, MountEntry, MountListResult};
use sluice_proto_nfs::xdr::EncodedList;

use crate::call::Call;
use crate::engine::Engine;
use crate::limits::READ_AHEAD_LENGTH;
use crate::reply::Reply;

/// Bytes of all entries: with the reply's header they are what a small reply may be.
const ENTRIES_LENGTH_MAX: usize = READ_AHEAD_LENGTH - 64;
/// Bytes around an entry's two strings, generously.
const ENTRY_OVERHEAD: usize = 32;

pub(super) fn serve(engine: &Engine, call: &Call) -> Reply {
    let client = call.client.to_string();
    let mut room = ENTRIES_LENGTH_MAX;
    let mut list = EncodedList::new();
    for path in engine.mounts.of(call.client) {
        let length = client.len() + path.len() + ENTRY_OVERHEAD;
        let strings = (HostName::new(client.as_bytes()), DirectoryPath::new(&path));
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
