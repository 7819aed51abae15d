//! Arguments of all NFSv3 procedures.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_proto_nfs::nfs3;
use sluice_proto_nfs::xdr::Decode;

mod support;

fuzz_target!(|bytes: &[u8]| {
    probe_all!(bytes;
        nfs3::GetAttrArgs,
        nfs3::SetAttrArgs,
        nfs3::LookupArgs,
        nfs3::AccessArgs,
        nfs3::ReadlinkArgs,
        nfs3::ReadArgs,
        nfs3::WriteArgs,
        nfs3::CreateArgs,
        nfs3::MkdirArgs,
        nfs3::SymlinkArgs,
        nfs3::MknodArgs,
        nfs3::RemoveArgs,
        nfs3::RmdirArgs,
        nfs3::RenameArgs,
        nfs3::LinkArgs,
        nfs3::ReaddirArgs,
        nfs3::ReaddirPlusArgs,
        nfs3::FsStatArgs,
        nfs3::FsInfoArgs,
        nfs3::PathConfArgs,
        nfs3::CommitArgs,
    );
    if let Ok(write) = nfs3::WriteArgs::from_bytes(bytes) {
        assert_eq!(&bytes[write.data.range()], write.data.bytes());
    }
});
