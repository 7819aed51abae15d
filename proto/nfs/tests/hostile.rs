//! Bytes from anywhere: no decoder panics, none takes memory, and what is decoded encodes to what was read.
//!
//! That none takes memory is in the types: each message is `Copy`, so it owns nothing on the heap.

use proptest::prelude::*;
use sluice_proto_nfs::rpc::{CallHeader, RecordAssembler, RecordLimits, ReplyHeader};
use sluice_proto_nfs::xdr::{Decode, Decoder, Encode};
use sluice_proto_nfs::{mount, nfs3, nlm, nsm, portmap};

/// Decodes; where that succeeds, what is encoded again must decode to the same value.
fn probe<'a, T: Copy + Encode + Decode<'a> + std::fmt::Debug>(bytes: &'a [u8]) -> Option<Vec<u8>> {
    let value = T::from_bytes(bytes).ok()?;
    let _ = format!("{value:?}");
    Some(value.to_bytes())
}

macro_rules! probe_all {
    ($bytes:expr; $($kind:ty),* $(,)?) => {$(
        if let Some(again) = probe::<$kind>($bytes) {
            // Padding is the one thing that is not kept.
            assert_eq!(again.len(), $bytes.len(), stringify!($kind));
            assert_eq!(probe::<$kind>(&again).as_ref(), Some(&again), stringify!($kind));
        }
    )*};
}

fn probe_everything(bytes: &[u8]) {
    probe_all!(bytes;
        nfs3::GetAttrArgs, nfs3::SetAttrArgs, nfs3::LookupArgs, nfs3::AccessArgs, nfs3::ReadlinkArgs,
        nfs3::ReadArgs, nfs3::WriteArgs, nfs3::CreateArgs, nfs3::MkdirArgs, nfs3::SymlinkArgs, nfs3::MknodArgs,
        nfs3::RemoveArgs, nfs3::RmdirArgs, nfs3::RenameArgs, nfs3::LinkArgs, nfs3::ReaddirArgs,
        nfs3::ReaddirPlusArgs, nfs3::FsStatArgs, nfs3::FsInfoArgs, nfs3::PathConfArgs, nfs3::CommitArgs,
        nfs3::GetAttrResult, nfs3::SetAttrResult, nfs3::LookupResult, nfs3::AccessResult, nfs3::ReadlinkResult,
        nfs3::ReadResult, nfs3::WriteResult, nfs3::CreateResult, nfs3::RenameResult, nfs3::LinkResult,
        nfs3::ReaddirResult, nfs3::ReaddirPlusResult, nfs3::FsStatResult, nfs3::FsInfoResult,
        nfs3::PathConfResult, nfs3::CommitResult,
        mount::MountArgs, mount::MountResult, mount::MountListResult, mount::ExportResult,
        portmap::Mapping, portmap::DumpResult, portmap::CallItArgs, portmap::CallItResult,
        nlm::TestArgs, nlm::TestResult, nlm::LockArgs, nlm::LockResult, nlm::CancelArgs, nlm::UnlockArgs,
        nlm::ShareArgs, nlm::ShareResult, nlm::FreeAllArgs,
        nsm::MonitorArgs, nsm::UnmonitorArgs, nsm::StatArgs, nsm::StatusResult, nsm::NotifyArgs, nsm::StatusCallback,

    );
    let _ = CallHeader::parse(&mut Decoder::new(bytes));
    let _ = ReplyHeader::from_bytes(bytes);
}

/// A valid message to start from.
fn seeds() -> Vec<Vec<u8>> {
    let handle = nfs3::FileHandle::new(&[7; 40]).unwrap();
    let place = nfs3::DirectoryEntryName {
        directory: handle,
        name: nfs3::FileName::new(b"a name").unwrap(),
    };
    let mut page = nfs3::ReaddirPlusPage::begin(
        sluice_proto_nfs::xdr::Encoder::new(),
        Some(&nfs3::fattr3::default()),
        [1; 8],
        4096,
        4096,
    )
    .unwrap();
    page.push(&nfs3::ReaddirPlusEntry {
        file_id: 1,
        name: nfs3::FileName::new(b"entry").unwrap(),
        cookie: 2,
        attributes: Some(nfs3::fattr3::default()),
        handle: Some(handle),
    });
    let lock = nlm::Lock {
        caller: nlm::CallerName::new(b"client").unwrap(),
        file: nlm::FileHandleBytes::new(handle.as_bytes()).unwrap(),
        owner: nlm::Owner::new(b"owner").unwrap(),
        process: 1,
        offset: 2,
        length: 3,
    };
    vec![
        nfs3::SetAttrArgs {
            object: handle,
            attributes: nfs3::SetAttributes {
                mode: Some(0o644),
                size: Some(9),
                atime: nfs3::SetTime::ClientTime(nfs3::nfstime3::default()),
                ..Default::default()
            },
            guard_ctime: Some(nfs3::nfstime3::default()),
        }
        .to_bytes(),
        nfs3::WriteArgs {
            file: handle,
            offset: 0,
            count: 5,
            stable: nfs3::StableHow::Unstable,
            data: sluice_proto_nfs::xdr::Opaque::new(b"hello"),
        }
        .to_bytes(),
        nfs3::RenameArgs {
            from: place,
            to: place,
        }
        .to_bytes(),
        [&[0; 4], page.finish(true).as_bytes()].concat(),
        nlm::LockArgs {
            cookie: nlm::Cookie::new(b"1234").unwrap(),
            block: true,
            exclusive: true,
            lock,
            reclaim: false,
            state: 1,
        }
        .to_bytes(),
    ]
}

#[test]
fn every_truncation_of_a_valid_message_is_refused() {
    for seed in seeds() {
        probe_everything(&seed);
        for length in 0..seed.len() {
            probe_everything(&seed[..length]);
        }
    }
    let write = &seeds()[1];
    assert!((0..write.len()).all(|length| nfs3::WriteArgs::from_bytes(&write[..length]).is_err()));
    let longer = [&write[..], &[0; 4]].concat();
    assert!(nfs3::WriteArgs::from_bytes(&longer).is_err());
}

#[test]
fn a_length_of_four_gigabytes_anywhere_is_harmless() {
    for seed in seeds() {
        for position in (0..seed.len() - 3).step_by(4) {
            for claim in [u32::MAX, 0x7fff_ffff, 0x8000_0000, 0xffff_fffd] {
                let mut bytes = seed.clone();
                bytes[position..position + 4].copy_from_slice(&claim.to_be_bytes());
                probe_everything(&bytes);
            }
        }
    }
}

proptest! {
    #[test]
    fn anything(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        probe_everything(&bytes);
    }

    /// Small numbers make lengths, enumerations and booleans that are valid more often than not.
    #[test]
    fn small_words(words in prop::collection::vec(0..9_u32, 0..80)) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        probe_everything(&bytes);
    }

    #[test]
    fn changed_messages(seed in 0..5_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = seeds().swap_remove(seed);
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        probe_everything(&bytes);
    }

    #[test]
    fn any_stream_of_records(stream in prop::collection::vec(any::<u8>(), 0..2000), piece in 1..100_usize) {
        let limits = RecordLimits { record_length_max: 500, fragments_max: 3 };
        let mut assembler = RecordAssembler::new(limits);
        'stream: for mut input in stream.chunks(piece) {
            loop {
                match assembler.push(&mut input) {
                    Ok(Some(record)) => prop_assert!(record.len() <= 500),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
    }
}
