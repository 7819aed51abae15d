//! EXPORT (RFC 1813 section 5.2.5): the exports that the asking client may use, so that others' are not told.

use sluice_proto_nfs::mount::{DirectoryPath, ExportEntry, ExportResult, HostName};
use sluice_proto_nfs::xdr::EncodedList;

use crate::call::Call;
use crate::engine::Engine;
use crate::reply::Reply;

pub(super) fn serve(engine: &Engine, call: &Call) -> Reply {
    let mut list = EncodedList::new();
    for export in engine.exports.all() {
        let Ok(directory) = DirectoryPath::new(&export.path) else {
            continue;
        };
        if !export.allows(call.client) {
            continue;
        }
        let mut names = EncodedList::new();
        for network in &export.networks {
            if let Ok(name) = HostName::new(network.to_string().as_bytes()) {
                names.push(&name);
            }
        }
        let groups = names.as_list();
        list.push(&ExportEntry { directory, groups });
    }
    let exports = list.as_list();
    Reply::with_results(call.xid, &ExportResult { exports })
}
