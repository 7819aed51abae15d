//! UMNT and UMNTALL (RFC 1813 sections 5.2.3 and 5.2.4).

use sluice_proto_nfs::mount::UmountArgs;

use super::canonical;
use crate::call::Call;
use crate::engine::Engine;
use crate::mount_table::Mount;

pub(super) fn one(engine: &Engine, call: &Call, arguments: &UmountArgs<'_>) {
    engine.mounts.remove(&Mount {
        client: call.client,
        path: canonical(&arguments.path),
    });
}

pub(super) fn all(engine: &Engine, call: &Call) {
    engine.mounts.remove_all(call.client);
}
