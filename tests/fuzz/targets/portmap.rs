//! Arguments and results of portmap.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::portmap;

mod support;

fuzz_target!(|bytes: &[u8]| {
    probe_all!(bytes;
        portmap::SetArgs,
        portmap::UnsetArgs,
        portmap::GetPortArgs,
        portmap::DumpResult,
        portmap::CallItArgs,
        portmap::CallItResult,
    );
});
