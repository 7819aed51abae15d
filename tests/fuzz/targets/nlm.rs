//! Arguments and results of NLM.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::nlm;
use sluice_proto_nfs::xdr::Decoder;

mod support;

fuzz_target!(|bytes: &[u8]| {
    probe_all!(bytes;
        nlm::TestArgs,
        nlm::TestResult,
        nlm::LockArgs,
        nlm::LockResult,
        nlm::CancelArgs,
        nlm::UnlockArgs,
        nlm::GrantedArgs,
        nlm::ShareArgs,
        nlm::ShareResult,
        nlm::UnshareArgs,
        nlm::NonMonitoredLockArgs,
        nlm::FreeAllArgs,
    );
    for procedure in nlm::Procedure::ALL {
        let _ = nlm::Message::decode(*procedure, &mut Decoder::new(bytes));
    }
});
