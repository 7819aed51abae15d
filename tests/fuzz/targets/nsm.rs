//! Arguments and results of NSM.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::nsm;

mod support;

fuzz_target!(|bytes: &[u8]| {
    probe_all!(bytes;
        nsm::StatArgs,
        nsm::StatusResult,
        nsm::MonitorArgs,
        nsm::UnmonitorArgs,
        nsm::UnmonitorAllArgs,
        nsm::State,
        nsm::NotifyArgs,
        nsm::StatusCallback,
    );
});
