//! What all calls share.

use std::sync::Arc;

use parking_lot::RwLock;
use sluice_proto_nfs::portmap::Mapping;
use sluice_types::{Clock, FileSystemId};
use sluice_vfs::Exports;

use crate::export_roots::ExportRoots;
use crate::files::FileService;
use crate::handle::HandleMaker;
use crate::in_flight::InFlight;
use crate::local_services::LocalServices;
use crate::lock_callbacks::LockCallbacks;
use crate::metrics::NfsMetrics;
use crate::mount_table::MountTable;

/// What all calls share.
pub(crate) struct Engine {
    pub(crate) files: Arc<dyn FileService>,
    pub(crate) exports: Arc<Exports>,
    pub(crate) export_roots: ExportRoots,
    pub(crate) handles: HandleMaker,
    pub(crate) file_system: FileSystemId,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: NfsMetrics,
    pub(crate) in_flight: InFlight,
    pub(crate) mounts: MountTable,
    pub(crate) lock_callbacks: LockCallbacks,
    /// What portmap answers of the gateway itself: known once the sockets are open.
    pub(crate) mappings: RwLock<Vec<Mapping>>,
    /// What it answers of others.
    pub(crate) local_services: LocalServices,
}
