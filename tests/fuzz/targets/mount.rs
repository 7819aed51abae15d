//! Arguments and results of MOUNT.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::mount;

mod support;

fuzz_target!(|bytes: &[u8]| {
    probe_all!(bytes;
        mount::MountArgs,
        mount::MountResult,
        mount::MountListResult,
        mount::UmountArgs,
        mount::ExportResult,
    );
});
