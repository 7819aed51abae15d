//! Results of all NFSv3 procedures.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::nfs3;

mod support;

fuzz_target!(|bytes: &[u8]| {
    probe_all!(bytes;
        nfs3::GetAttrResult,
        nfs3::SetAttrResult,
        nfs3::LookupResult,
        nfs3::AccessResult,
        nfs3::ReadlinkResult,
        nfs3::ReadResult,
        nfs3::WriteResult,
        nfs3::CreateResult,
        nfs3::MkdirResult,
        nfs3::SymlinkResult,
        nfs3::MknodResult,
        nfs3::RemoveResult,
        nfs3::RmdirResult,
        nfs3::RenameResult,
        nfs3::LinkResult,
        nfs3::ReaddirResult,
        nfs3::ReaddirPlusResult,
        nfs3::FsStatResult,
        nfs3::FsInfoResult,
        nfs3::PathConfResult,
        nfs3::CommitResult,
    );
});
